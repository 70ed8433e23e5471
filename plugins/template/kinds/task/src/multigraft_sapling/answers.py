"""What is learned from the targets, and how outputs become answers. A bundle uses this: no
torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import multigraft as mg


def number(value: Any) -> float:
    """The target in a cell. Raises RowError."""
    try:
        found = float(value)
    except (TypeError, ValueError) as error:
        raise mg.RowError(f"{value!r} is no number", column="target") from error
    if not math.isfinite(found):
        raise mg.RowError(f"{value!r} is not finite", column="target")
    return found


def describe(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Mean and spread of the training rows' targets; cells that are no numbers are told later, row
    by row."""
    found = []
    for value in columns["target"]:
        try:
            found.append(number(value))
        except mg.RowError:
            continue
    spread = statistics.pstdev(found) if found else 0.0
    return {"mean": statistics.fmean(found) if found else 0.0, "spread": spread or 1.0}


class Numbers(mg.Answers):
    """``{"value": 3.5}`` from what the graph serves."""

    asks: Mapping[str, mg.Option] = {
        "digits": mg.Option(
            default=None, types=(int,), low=0, high=12, help="round the value to so many"
        )
    }

    def __init__(self, targets: Mapping[str, Any]) -> None:
        del targets  # what `describe` gave, for answers that need it

    def answer(
        self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The number of the only window, rounded where a person asks for it."""
        value = float(windows[0].outputs["value"])
        digits = asked["digits"]
        return {"value": value if digits is None else round(value, digits)}


def samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Targets for made-up rows, with which `multigraft.testing` tries the task."""
    return {"target": rng.normal(10, 2, len(raws)).round(3).tolist()}
