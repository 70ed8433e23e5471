"""Error rates beside jiwer: the rate, and each kind of edit."""

from __future__ import annotations

import re

import jiwer
import numpy as np
import pytest

from helpers.generated_texts import corpora
from multigraft.runtime.answers.text_scores.error_rate import (
    characters,
    edit_counts,
    error_rate,
    words,
)


def spaced(texts: list[str]) -> list[str]:
    """jiwer takes one tab or line's end for a letter of a word; ours ends the word."""
    return [re.sub(r"\s", " ", text) for text in texts]


@pytest.mark.parametrize(
    ("units", "oracle", "rate"),
    [(words, jiwer.process_words, "wer"), (characters, jiwer.process_characters, "cer")],
)
def test_edits_are_jiwers(units: object, oracle: object, rate: str) -> None:
    assert callable(units)
    assert callable(oracle)
    scores = []
    for answers, expected in corpora(500):
        said, references = spaced(answers), spaced([texts[0] for texts in expected])
        found = oracle(references, said)
        rows = [edit_counts(units(a), units(b)) for a, b in zip(said, references, strict=True)]
        counts = np.sum(rows, axis=0)
        wanted = [found.substitutions, found.insertions, found.deletions, found.hits]
        assert counts.tolist() == wanted, (said, references)
        scores.append(error_rate(counts))
        assert scores[-1] == pytest.approx(getattr(found, rate), abs=1e-6)
    assert min(scores) == 0
    assert max(scores) > 1


def test_a_tab_ends_a_word() -> None:
    assert edit_counts(words("a\tb\n"), words("a b")).tolist() == [0, 0, 0, 2]


def test_a_corpus_weighs_its_rows_by_their_length() -> None:
    one, other = edit_counts(words("a b c d"), words("a b c d")), edit_counts((), words("x"))
    assert error_rate(one + other) == pytest.approx(1 / 5)


def test_nothing_expected() -> None:
    assert error_rate(edit_counts((), ())) == 0
    assert error_rate(edit_counts(words("a b"), ())) == 2


def test_units_may_be_anything_that_can_be_told_apart() -> None:
    assert edit_counts([1, 2, 3], [1, 3]).tolist() == [0, 1, 0, 2]
