"""Masks drawn quickly: as random, as reproducible, and only while asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from multigraft.training.dropout import fast_dropout


@pytest.mark.parametrize("p", [0.5, 0.9, 0.1, 0.999, 1.0, 0.0, 1e-5])
def test_the_share_of_ones_is_the_chance(p: float) -> None:
    count = 2_000_000
    torch.manual_seed(0)
    with fast_dropout():
        share = torch.empty(count).bernoulli_(p).mean(dtype=torch.float64).item()
    assert abs(share - p) <= 5 * (p * (1 - p) / count) ** 0.5 + 1e-3 * min(p, 1 - p)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_masks_are_the_words_of_a_seed_that_torch_draws(dtype: torch.dtype) -> None:
    """A repeated run of another version of this module draws the same."""
    torch.manual_seed(3)
    with fast_dropout():
        drawn = torch.empty(5000, dtype=dtype).bernoulli_(0.9)
    torch.manual_seed(3)
    words = np.random.SFC64(int(torch.empty((), dtype=torch.int64).random_())).random_raw(1250)
    wanted = words.view(np.int16) < round(0.9 * 2**16) - 2**15
    assert drawn.tolist() == wanted.astype(float).tolist()


def test_neighbours_are_independent() -> None:
    torch.manual_seed(0)
    with fast_dropout():
        drawn = torch.empty(1_000_000).bernoulli_(0.5)
    for distance in (1, 2, 3, 4, 64):
        both = (drawn[:-distance] * drawn[distance:]).mean().item()
        assert abs(both - 0.25) < 0.003, distance


def test_the_seed_decides_and_each_call_differs() -> None:
    def draw(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(seed)
        return torch.empty(100_000).bernoulli_(0.5), torch.empty(100_000).bernoulli_(0.5)

    with fast_dropout():
        first, again, other = draw(1), draw(1), draw(2)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_dropout_and_attention_use_it_and_torch_is_left_as_it_was() -> None:
    ones, query = torch.ones(50_000), torch.randn(2, 4, 64, 16)

    def results() -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        return F.dropout(ones, 0.25), F.scaled_dot_product_attention(
            query, query, query, dropout_p=0.2
        )

    before = results()
    with fast_dropout():
        within = results()
    after = results()
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], within[0])
    assert not torch.equal(before[1], within[1])
    assert within[0].unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert within[0].mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (5_001, 3)])
def test_any_shape_and_type_is_filled(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    with fast_dropout():
        filled = torch.full(shape, 9, dtype=dtype).bernoulli_(0.5)
        strided = torch.full((100, 100), 9.0).t()[::2].bernoulli_(0.5)
    assert filled.shape == shape
    assert set(filled.flatten().tolist()) <= {0.0, 1.0}
    assert set(strided.flatten().tolist()) == {0.0, 1.0}


def test_recomputation_draws_the_same_again() -> None:
    weights = torch.ones(20_000, requires_grad=True)
    torch.manual_seed(0)
    with fast_dropout():
        out = checkpoint(lambda x: F.dropout(x, 0.5) * x, weights, use_reentrant=False)
        assert out is not None
        out.sum().backward()
    assert weights.grad is not None
    assert torch.equal(weights.grad, 2 * out.detach())  # d(m x^2) = 2 m x at x = 1


def test_an_own_generator_is_heard() -> None:
    def draw(seed: int) -> torch.Tensor:
        return torch.empty(10_000).bernoulli_(0.5, generator=torch.Generator().manual_seed(seed))

    with fast_dropout():
        assert torch.equal(draw(1), draw(1))
        assert not torch.equal(draw(1), draw(2))
