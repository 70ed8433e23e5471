"""A number a row, or several, without torch: which rows have them, and metrics of those that were
answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import KeptOfRow, Row, RowBrief, RowObjective
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import RecipeError, RowError
from multigraft.models.tasks.number_scores import number_scores, pinball, quantile_scores
from multigraft.models.tasks.numbers import COLUMN, numbers_in
from multigraft.models.tasks.row_losses import ERRORS

NUMBERS, OUTPUT = "numbers", "standardised"
"""What a graph serves: in the numbers' unit, and as they were learned."""
MONITORS = {"mse": "r2", "huber": "r2", "mae": "d2_absolute_error"}
"""What says how much is explained of what the loss looks at: a share, whatever the unit."""


class NumberRows(RowObjective):
    """Rows with one number each, or several of the same names."""

    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.names: list[str] = brief.targets["names"]
        self.means, self.deviations = (
            np.array(brief.targets[name]) for name in ("means", "deviations")
        )
        if {each.shape for each in (self.means, self.deviations)} != {(len(self.names),)}:
            raise ValueError("each number of the targets has a mean and a deviation")
        self.levels = _levels(brief.options["quantiles"])
        kind = brief.options["loss"]
        self.monitor = MONITORS[kind] if self.levels is None else "d2_pinball"

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The numbers, standardised [numbers]. Raises RowError where one is missing."""
        found = numbers_in(row.get(COLUMN))
        if found.keys() != set(self.names):
            raise RowError(
                f"the target holds {', '.join(found)}; the training rows have "
                f"{', '.join(self.names)}",
                column=COLUMN,
            )
        values = np.array([found[name] for name in self.names])
        return {"wanted": ((values - self.means) / self.deviations).astype(np.float32)}

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """Loss, and the numbers answered and wanted, in their unit, from ``numbers``, and
        ``standardised`` where they are given."""
        (found,), wanted = outputs, arrays["wanted"].astype(np.float64)
        values = found[NUMBERS]
        return {
            "loss": self._row_loss(self._standardised(found), wanted),
            "weight": 1.0,
            "values": values if self.levels is None else np.sort(values, axis=-1),
            "wanted": wanted * self.deviations + self.means,
        }

    def _standardised(self, found: Arrays) -> np.ndarray:
        """[numbers], or [numbers, levels]."""
        values = found[NUMBERS].astype(np.float64)
        if OUTPUT in found:
            return found[OUTPUT].astype(np.float64).reshape(values.shape)
        means, deviations = (
            each if self.levels is None else each[:, None] for each in (self.means, self.deviations)
        )
        standardised: np.ndarray = (values - means) / deviations
        return standardised

    def _row_loss(self, found: np.ndarray, wanted: np.ndarray) -> float:
        if self.levels is not None:
            return float(pinball(found, wanted, np.array(self.levels)).mean())
        return float(ERRORS[self.brief.options["loss"]](found - wanted).mean())

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, errors, shares explained, correlations; with quantiles, how they fit."""
        values, wanted = kept["values"].astype(np.float64), kept["wanted"]
        scores = {**super().summarise(kept), **number_scores(self._middle(values), wanted)}
        if self.levels is None:
            return scores
        return {**scores, **quantile_scores(values, wanted, np.array(self.levels))}

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """The levels, which are an option and no part of what was learned."""
        return {} if self.levels is None else {"quantiles": self.levels}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """What the training rows' mean scores, or their median where the loss is absolute; of
        quantiles 0, which is what these rows' own would score."""
        if self.levels is not None:
            return Baseline(self.monitor, 0.0, "always answering the quantiles of these rows")
        kind = "means" if self.monitor == "r2" else "medians"
        constant = np.array(self.brief.targets[kind])
        answered = np.broadcast_to(constant, kept["wanted"].shape)
        value = number_scores(answered, kept["wanted"])[self.monitor]
        said = ", ".join(f"{each:.4g}" for each in constant[:3].tolist())
        return Baseline(self.monitor, value, f"always answering {said}, the training {kind[:-1]}")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Each row's numbers as words, and where there are several, a table of their scores."""
        middle, wanted = self._middle(kept["values"].astype(np.float64)), kept["wanted"]
        details: dict[str, Any] = {
            "expected": [_said(row) for row in wanted],
            "answered": [_said(row) for row in middle],
        }
        if len(self.names) > 1:
            details["tables"] = {"numbers on these rows": self._table(middle, wanted)}
        return details

    def _middle(self, values: np.ndarray) -> np.ndarray:
        """The numbers themselves: of quantiles the median."""
        return values if self.levels is None else values[..., self.levels.index(0.5)]

    def _table(self, middle: np.ndarray, wanted: np.ndarray) -> tuple[tuple[str, ...], ...]:
        each = [
            number_scores(middle[:, [place]], wanted[:, [place]])
            for place in range(len(self.names))
        ]
        heading = ("number", *each[0])
        lines = [
            (name, *(f"{value:.4g}" for value in scores.values()))
            for name, scores in zip(self.names, each, strict=True)
        ]
        return (heading, *lines)


def _levels(asked: Any) -> list[float] | None:
    """The quantiles that a recipe asks for. Raises RecipeError."""
    if asked is None:
        return None
    fit = all(type(level) in (int, float) and 0 < level < 1 for level in asked)
    if not fit or asked != sorted(set(asked)) or 0.5 not in asked or len(asked) < 2:
        problem = (
            f"task.quantiles: found {asked}; give numbers between 0 and 1 in ascending order, 0.5 "
            "among them, as [0.1, 0.5, 0.9]"
        )
        raise RecipeError([problem])
    return [float(level) for level in asked]


def _said(numbers: np.ndarray) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers.tolist())
