from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multigraft_text.likeness import BETWEEN, LONGEST, SHINGLE, VALUES, sketch


def jaccard(one: str, other: str) -> float:
    """The index of the sets of shingles, as the definition has it."""
    sets = [
        {text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))}
        for text in (one, other)
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def likeness(one: object, other: object) -> float:
    values, _ = sketch([one, other])
    return float((values[0] == values[1]).mean())


def changed_pairs(count: int) -> list[tuple[str, str]]:
    """Texts of 200 letters, and the same with some stretches rewritten."""
    chance = random.Random(4)
    pairs = []
    for _ in range(count):
        one = [chance.choice("abcdefgh ") for _ in range(200)]
        other = list(one)
        for _ in range(chance.randrange(1, 12)):
            start = chance.randrange(190)
            other[start : start + 8] = [chance.choice("abcdefgh ") for _ in range(8)]
        pairs.append((" ".join("".join(one).split()), " ".join("".join(other).split())))
    return pairs


def test_the_estimate_has_no_bias_and_the_standard_error_of_minhash() -> None:
    pairs = changed_pairs(600)
    true = np.array([jaccard(*pair) for pair in pairs])
    values, _ = sketch([text for pair in pairs for text in pair])
    found = (values[::2] == values[1::2]).mean(1)
    errors = (found - true) / np.sqrt(true * (1 - true) / VALUES)
    assert true.min() < 0.3 < 0.9 < true.max()
    assert abs(errors.mean()) < 4 / math.sqrt(len(pairs))
    assert errors.std() == pytest.approx(1, abs=0.15)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=8),
    st.randoms(use_true_random=False),
)
def test_a_text_has_the_same_sketch_in_any_company(texts: list[str], chance: random.Random) -> None:
    values, flaws = sketch(texts)
    assert values.shape == (len(texts), VALUES)
    assert not flaws.any()
    for row, text in enumerate(texts):
        assert (sketch([text])[0][0] == values[row]).all()
    order = chance.sample(range(len(texts)), len(texts))
    assert (sketch([texts[row] for row in order])[0] == values[order]).all()


@settings(max_examples=60, deadline=None)
@given(st.text("abc d", min_size=1, max_size=80), st.text("abc d", min_size=1, max_size=80))
def test_any_two_texts_are_as_alike_as_their_shingles(one: str, other: str) -> None:
    one, other = (" ".join(text.split()) for text in (one, other))
    if one and other:
        padded = [text.ljust(SHINGLE) for text in (one, other)]
        true = jaccard(*padded)
        error = 5 * math.sqrt(max(true * (1 - true), 0) / VALUES) + 1e-9
        chance = 0 if true else 1 / VALUES  # 16 bits of two hashes agree once in 65,536
        assert abs(likeness(one, other) - true) <= error + chance


def test_case_and_spaces_do_not_count() -> None:
    assert likeness("A  Fine\tFilm\n", "a fine film") == 1
    assert likeness("Straße", "STRASSE") == 1
    assert likeness(b"caf\xc3\xa9 au lait", "café au lait") == 1


def test_short_texts_are_told_apart() -> None:
    assert likeness("yes", "yes") == 1
    assert likeness("yes", "no") < 0.1
    assert likeness("a", "b") < 0.1


def test_one_word_of_a_sentence_is_near_and_half_of_it_is_not() -> None:
    sentence = (
        "the committee will publish its report on the harbour before the end of the month of march"
    )
    assert likeness(sentence, sentence.replace("march", "april")) >= 0.8
    assert (
        likeness(sentence, sentence[: len(sentence) // 2] + "nothing of it was ever seen by anyone")
        < 0.6
    )


def test_both_texts_of_a_pair_count() -> None:
    first, second = "is the shop open on sundays", "it opens at ten in the morning"
    assert likeness((first, second), (first, second)) == 1
    assert likeness((first, second), [first, second]) == 0  # a list is no pair, as for the reader
    assert likeness((first, second), (first, "no, nobody works there then")) < 0.8
    assert likeness((first, second), f"{first} {second}") > 0.7


def test_a_long_text_counts_by_its_beginning() -> None:
    chance = random.Random(1)
    start = "".join(chance.choice("abcdefghij ") for _ in range(LONGEST)).replace("  ", "ab")
    assert likeness(start + "x" * 5000, start + "y" * 5000) == 1


@pytest.mark.parametrize("raw", ["", "  ", None, 3, b"\xff", "a\0b", ("a", None), "\ud800"])
def test_what_the_reader_refuses_is_like_nothing(raw: object) -> None:
    values, flaws = sketch([raw, "a good text"])
    assert not values[0].any()
    assert values[1].any()
    assert not flaws.any()


def test_no_rows_give_no_sketches() -> None:
    assert sketch([])[0].shape == (0, VALUES)
    assert len(BETWEEN) == 1


def test_a_text_in_which_bytes_were_lost_has_a_flaw() -> None:
    assert sketch(["caf\ufffd", "café", ("a", "b\ufffd")])[1].tolist() == [1, 0, 1]
