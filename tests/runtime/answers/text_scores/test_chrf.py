"""chrF beside sacrebleu."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from helpers.generated_texts import corpora
from multigraft.runtime.answers.text_scores.chrf import chrf_counts, corpus_chrf


@pytest.mark.parametrize("references", [1, 3])
def test_chrf_is_sacrebleus(references: int) -> None:
    scores = []
    for said, expected in corpora(500, references):
        oracle = CHRF().corpus_score(said, list(zip(*expected, strict=True))).score
        rows = [chrf_counts(one, *texts) for one, texts in zip(said, expected, strict=True)]
        scores.append(corpus_chrf(np.sum(rows, axis=0)))
        assert scores[-1] == pytest.approx(oracle, abs=1e-6), (said, expected)
    assert min(scores) == 0
    assert max(scores) > 90


def test_orders_that_a_side_lacks_are_left_out() -> None:
    """Two characters have no n-gram of three; precision 1/2 and 0/1, recall 1/3 and 0/2."""
    counts = chrf_counts("ab", "a c d")
    assert counts.tolist() == [[2, 3, 1], [1, 2, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    precision, recall = 1 / 4, 1 / 6
    expected = 100 * 5 * precision * recall / (4 * precision + recall)
    assert corpus_chrf(counts) == pytest.approx(expected)
    assert corpus_chrf(chrf_counts("a\tb  c", "abc")) == pytest.approx(100)
