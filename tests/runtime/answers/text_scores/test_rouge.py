"""ROUGE beside the rouge-score package."""

from __future__ import annotations

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from helpers.generated_texts import corpora
from multigraft.runtime.answers.text_scores.rouge import ROUGE, common_subsequence, rouge_scores


@pytest.mark.parametrize("references", [1, 3])
def test_rouge_is_rouge_scores(references: int) -> None:
    oracle = RougeScorer(list(ROUGE), use_stemmer=False)
    rows = []
    for said, expected in corpora(500, references):
        for one, texts in zip(said, expected, strict=True):
            found = oracle.score_multi(texts, one)
            rows.append(rouge_scores(one, *texts))
            wanted = [found[name].fmeasure for name in ROUGE]
            np.testing.assert_allclose(rows[-1], wanted, atol=1e-6, err_msg=repr((one, texts)))
    assert np.min(rows, axis=0).tolist() == [0, 0, 0]
    assert np.max(rows, axis=0).tolist() == [1, 1, 1]


def test_the_example_of_the_paper() -> None:
    """Lin 2004, section 3.1: ROUGE-L of S2 is 3/4 and of S3 1/2; ROUGE-2 is 1/3 of both."""
    reference = "police killed the gunman"
    np.testing.assert_allclose(
        rouge_scores("police kill the gunman", reference), [3 / 4, 1 / 3, 3 / 4]
    )
    np.testing.assert_allclose(
        rouge_scores("the gunman kill police", reference), [3 / 4, 1 / 3, 1 / 2]
    )


def test_a_long_subsequence() -> None:
    """As the table of all lengths gives it (Wagner & Fischer 1974)."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        one, other = (rng.integers(0, 5, rng.integers(0, 150)).tolist() for _ in "ab")
        table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
        for i, a in enumerate(one):
            for j, b in enumerate(other):
                longer = max(table[i, j + 1], table[i + 1, j])
                table[i + 1, j + 1] = table[i, j] + 1 if a == b else longer
        assert common_subsequence(one, other) == table[-1, -1]
