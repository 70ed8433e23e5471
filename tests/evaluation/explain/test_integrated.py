"""Integrated gradients by a nested rule, against known values and a plain Riemann sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multigraft.evaluation.explain.gradients import integral, integrated_gradients
from multigraft.evaluation.explain.path import GradientPath

ROW = torch.tensor([[0.9, -0.4, 0.7, 0.2]])
OPTIONS = {"steps": 8, "most_steps": 512, "tolerance": 0.01, "settled": 0.05}


@dataclass
class Numbers:
    """A row of four numbers, each a unit that is 0 where it is hidden, in front of a function."""

    function: Any
    graft: nn.Module = field(default_factory=nn.Identity)
    count: int = 4
    points: int = 0
    """Those at which a gradient was asked for."""

    def batch(self, hidden: np.ndarray) -> dict[str, Tensor]:
        return {"numbers": torch.where(torch.from_numpy(hidden), 0.0, ROW)}

    def number(self, batch: dict[str, Tensor]) -> Tensor:
        self.points += len(batch["numbers"]) if torch.is_grad_enabled() else 0
        found: Tensor = self.function(batch["numbers"])
        return found


def network(seed: int, width: int, *, kinks: bool) -> Any:
    generator = torch.Generator().manual_seed(seed)
    first, last = (
        torch.randn(4, width, generator=generator),
        torch.randn(width, generator=generator),
    )
    bend = torch.relu if kinks else torch.tanh
    return lambda rows: (bend(rows @ first + 0.2) @ last / width).sigmoid()


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_the_rule_is_numpy_s(count: int) -> None:
    slopes = np.random.default_rng(0).normal(size=(count, 3))
    wanted = np.trapezoid(np.concatenate([np.zeros((1, 3)), slopes]), dx=1 / count, axis=0)
    np.testing.assert_allclose(integral(slopes), wanted)


def test_a_line_is_integrated_exactly_by_eight_points() -> None:
    subject: Any = Numbers(lambda rows: rows @ torch.tensor([1.0, -2.0, 3.0, 0.0]))
    found = integrated_gradients(subject, OPTIONS)
    np.testing.assert_allclose(found.weights, (ROW[0] * torch.tensor([1, -2, 3, 0])).numpy())
    assert found.told["steps"] == subject.points == 8
    assert found.told["completeness_error"] <= 1e-6


def test_the_error_of_a_polynomial_falls_with_the_square_of_the_points() -> None:
    """A square's gradient is 2 * t**2 * row: its trapezoids are the integral and 1 / (2 n**2)."""
    subject: Any = Numbers(lambda rows: (rows**2).sum(1))
    for steps in (4, 16):
        given = {"steps": steps, "most_steps": steps, "tolerance": 0.0, "settled": 0.0}
        found = integrated_gradients(subject, given).weights
        np.testing.assert_allclose(found / ROW[0].numpy() ** 2, 1 + 1 / steps**2, rtol=1e-5)


@pytest.mark.parametrize("kinks", [False, True])
def test_they_are_a_riemann_sum_of_many_steps(kinks: bool) -> None:
    subject: Any = Numbers(network(0, 64, kinks=kinks))
    middles = (np.arange(2000) + 0.5) / 2000
    wanted = GradientPath(subject).products(middles).mean(0)
    subject.points = 0
    found = integrated_gradients(subject, OPTIONS)
    assert np.abs(found.weights - wanted).sum() <= 0.02 * np.abs(wanted).sum()
    assert found.told["quadrature_error"] <= 0.05
    assert subject.points == found.told["steps"] <= 128, "no gradient is computed twice"


def test_weights_that_move_are_not_done_though_they_add_up() -> None:
    """The first unit's gradient is high in the middle alone, the second's as low there: both add up
    to nothing, whatever is computed."""

    def bump(rows: Tensor) -> Tensor:
        there = torch.sigmoid(60 * (rows[:, 0] - 0.45))
        return there - torch.sigmoid(60 * (rows[:, 2] / 0.7 * 0.9 - 0.45))

    subject: Any = Numbers(bump)
    found = integrated_gradients(subject, OPTIONS)
    assert found.told["steps"] > 8
    np.testing.assert_allclose(found.weights, [1, 0, -1, 0], atol=0.01)


def test_what_hides_nothing_weighs_nothing() -> None:
    subject: Any = Numbers(lambda rows: rows.sum(1))
    subject.batch = lambda hidden: {"numbers": ROW.expand(len(hidden), -1)}
    found = integrated_gradients(subject, OPTIONS)
    assert found.weights.tolist() == [0, 0, 0, 0]
    assert found.told == {"completeness_error": 0.0, "quadrature_error": 0.0, "steps": 8.0}


def test_where_most_steps_end_it_the_errors_are_told() -> None:
    subject: Any = Numbers(lambda rows: torch.sigmoid(400 * (rows[:, 0] - 0.3)))
    found = integrated_gradients(subject, {**OPTIONS, "most_steps": 16})
    assert found.told["steps"] == subject.points == 16
    assert found.told["completeness_error"] > 0.1
    assert found.told["quadrature_error"] > 0.1
