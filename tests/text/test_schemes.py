"""Tag schemes: what they mark is what seqeval reads, and what is broken is told by its word."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from multigraft import RowError
from multigraft_text.schemes import SCHEMES, Entity, entities

ORACLES = {"bio": IOB2, "iob1": IOB1, "bioes": IOBES, "bilou": BILOU}
ENDS = {"bioes": "ES", "bilou": "LU"}


def written(marked: list[Entity], words: int, scheme: str) -> list[str]:
    """The tags of entities, as a scheme writes them."""
    tags = ["O"] * words
    for number, (first, after, label) in enumerate(marked):
        before = marked[number - 1] if number else None
        touches = before is not None and before[1:] == (first, label)
        prefixes = ["B", *"I" * (after - first - 1)]
        if scheme == "iob1" and not touches:
            prefixes[0] = "I"
        if scheme in ENDS:
            last, single = ENDS[scheme]
            prefixes[-1] = single if after - first == 1 else last
        tags[first:after] = [f"{prefix}-{label}" for prefix in prefixes]
    return tags


def made(rng: np.random.Generator) -> tuple[list[Entity], int]:
    marked: list[Entity] = []
    word = 0
    while word < 30:
        word += int(rng.integers(0, 3))
        end = word + int(rng.integers(1, 4))
        marked.append((word, end, ["PER", "LOC", "a-b"][rng.integers(3)]))
        word = end
    return marked, word


@pytest.mark.parametrize("scheme", ORACLES)
def test_entities_are_those_that_were_written_and_that_seqeval_reads(scheme: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        marked, words = made(rng)
        tags = written(marked, words, scheme)
        assert entities(tags, scheme) == marked
        (oracle,) = Entities([tags], ORACLES[scheme]).entities
        assert [(each.start, each.end, each.tag) for each in oracle] == marked


@pytest.mark.parametrize(
    ("scheme", "tags", "said"),
    [
        (
            "bio",
            "O I-PER",
            "has at word 2 the tag 'I-PER', which goes on with a 'PER' that does not stand before",
        ),
        ("bio", "B-LOC I-PER", "has at word 2 the tag 'I-PER', which goes on"),
        (
            "bio",
            "B-LOC E-LOC",
            "has at word 2 the tag 'E-LOC', which is none of scheme 'bio', which has O, B-T",
        ),
        ("bio", "NOUN VERB", "has at word 1 the tag 'NOUN', which is none of scheme 'bio'"),
        ("bio", "B-", "has at word 1 the tag 'B-', which has no type behind its dash"),
        ("bio", "B- O", "no type"),
        ("iob1", "S-LOC", "none of scheme 'iob1'"),
        (
            "bioes",
            "B-PER O",
            "has at word 2 the tag 'O', which comes before the 'PER' that is open has ended",
        ),
        ("bioes", "B-PER I-PER", "has ended"),
        ("bioes", "B-PER S-PER", "has ended"),
        ("bioes", "E-PER", "goes on with a 'PER'"),
        ("bilou", "B-PER L-LOC", "goes on with a 'LOC'"),
        ("bilou", "U-PER I-PER", "goes on with a 'PER'"),
    ],
)
def test_a_broken_sequence_is_told_by_its_word(scheme: str, tags: str, said: str) -> None:
    with pytest.raises(RowError) as error:
        entities(tags.split(), scheme)
    assert said in str(error.value)
    assert error.value.column == "tags"
    assert all(each in str(error.value) for each in SCHEMES)


def test_tags_without_prefixes() -> None:
    tags = "PER PER O LOC PER".split()
    assert entities(tags, "io") == [(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "PER")]
    assert entities(tags, "words") == [
        *[(0, 1, "PER"), (1, 2, "PER"), (3, 4, "LOC"), (4, 5, "PER")]
    ]
    assert entities([], "bio") == entities([], "words") == []
