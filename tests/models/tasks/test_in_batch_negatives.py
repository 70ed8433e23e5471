"""In-batch negatives, beside plain sums."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from multigraft.models.tasks.in_batch_negatives import in_batch_negatives, negatives


def vectors(rows: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed)), dim=-1)


def numbers(*ids: int) -> torch.Tensor:
    return torch.tensor(ids, dtype=torch.int64)


def test_the_loss_of_pairs_is_the_cross_entropy_of_the_own_positive() -> None:
    texts, positives = vectors(4), vectors(4, 1)
    allowed = negatives(numbers(1, 2, 3, 4), numbers(5, 6, 7, 8), numbers(5, 6, 7, 8))
    found = in_batch_negatives(texts, positives, allowed, temperature=0.05, symmetric=False)
    for row in range(4):
        scores = [float(texts[row] @ positive) / 0.05 for positive in positives]
        wanted = math.log(sum(map(math.exp, scores))) - scores[row]
        assert float(found[row]) == pytest.approx(wanted, rel=1e-4)


def test_symmetric_is_the_mean_of_both_ways() -> None:
    texts, positives = vectors(4), vectors(4, 1)
    allowed = torch.ones(4, 4, dtype=torch.bool)
    one, other = (
        in_batch_negatives(*sides, allowed, temperature=0.1, symmetric=False)
        for sides in ((texts, positives), (positives, texts))
    )
    both = in_batch_negatives(texts, positives, allowed, temperature=0.1, symmetric=True)
    assert torch.allclose(both, (one + other) / 2, atol=1e-6)


def test_negatives_of_triplets_join_the_candidates_of_every_row() -> None:
    texts, candidates = vectors(3), vectors(6, 1)
    allowed = negatives(numbers(1, 2, 3), numbers(4, 5, 6), numbers(4, 5, 6, 7, 8, 9))
    assert allowed.sum().item() == 3 * 5
    found = in_batch_negatives(texts, candidates, allowed, temperature=0.05, symmetric=True)
    fewer = in_batch_negatives(
        texts, candidates[:3], allowed[:, :3], temperature=0.05, symmetric=True
    )
    assert (found > fewer).all()


def test_duplicates_are_no_negatives_of_each_other() -> None:
    # rows 0 and 1 are of one text, rows 1 and 2 of one positive, and row 3's text is positive 4
    allowed = negatives(numbers(1, 1, 2, 14), numbers(11, 12, 12, 13), numbers(11, 12, 12, 13, 14))
    assert allowed.tolist() == [
        [False, False, False, True, True],
        [False, False, False, True, True],
        [True, False, False, True, True],
        [True, True, True, False, False],
    ]


def test_the_loss_does_not_see_a_masked_candidate() -> None:
    texts, positives = vectors(2), vectors(2, 1)
    allowed = torch.zeros(2, 2, dtype=torch.bool)
    found = in_batch_negatives(texts, positives, allowed, temperature=0.05, symmetric=True)
    assert found.tolist() == [0.0, 0.0]
