"""Answers that are numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, ExplainedNumber, Window
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.classification import names_of, place_of, weighted_mean

ALONE = ["target"]
"""The names where a cell holds one number, without a name."""


class Regression(Answers):
    """The number, or several by name; with quantiles those too, of which the number is the median.

    The graph gives ``numbers`` [numbers], or [numbers, quantiles], which are sorted: none crosses
    another. Of a value in several windows they are the mean, weighted by the windows' lengths.

    >>> window = Window({}, {"numbers": np.array([[3.0, 2.0, 4.5]])})
    >>> Regression({"names": ["target"], "quantiles": [0.1, 0.5, 0.9]}).answer("", [window], {})
    {'value': 3.0, 'quantiles': {'0.1': 2.0, '0.5': 3.0, '0.9': 4.5}}
    >>> window = Window({}, {"numbers": np.array([3.0, 0.5])})
    >>> Regression({"names": ["valence", "arousal"]}).answer("", [window], {})
    {'values': {'valence': 3.0, 'arousal': 0.5}}
    """

    joins = True
    flips = ("numbers",)

    def __init__(self, targets: Spec) -> None:
        self._names = names_of(targets.get("names"))
        self._levels = _levels(targets.get("quantiles"))

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the targets do not belong together."""
        found = weighted_mean(windows, "numbers")
        wanted = (len(self._names), *([len(self._levels)] if self._levels else []))
        if found.shape != wanted:
            raise BundleError(
                f"the graph gives numbers {list(found.shape)}; the targets have {list(wanted)}"
            )
        if not np.isfinite(found).all():
            raise BundleError("the graph gives values that are no numbers; export the run again")
        one = self._names == ALONE
        if not self._levels:
            return _named("value", self._names, found.tolist(), one=one)
        ordered = np.sort(found, axis=-1)
        middle = ordered[:, self._levels.index(0.5)].tolist()
        keys = [f"{level:g}" for level in self._levels]
        quantiles = [dict(zip(keys, row, strict=True)) for row in ordered.tolist()]
        return {
            **_named("value", self._names, middle, one=one),
            "quantiles": quantiles[0] if one else dict(zip(self._names, quantiles, strict=True)),
        }

    def explained(self, answer: Answer, of: str | None) -> ExplainedNumber:
        """A number in its unit, the first unless another is asked for; with quantiles the output
        that was trained for its median."""
        name = of or self._names[0]
        place = place_of(name, self._names, noun="number")
        middle = (self._levels.index(0.5),) if self._levels else ()
        return ExplainedNumber(name, "numbers", (place, *middle))


def _named(name: str, names: Sequence[str], values: list[float], *, one: bool) -> Answer:
    return {name: values[0]} if one else {f"{name}s": dict(zip(names, values, strict=True))}


def _levels(listed: Any) -> list[float]:
    """The levels of the quantiles; none where there are none. Raises BundleError."""
    if listed is None:
        return []
    fit = isinstance(listed, list) and all(type(level) in (int, float) for level in listed)
    if not fit or listed != sorted(set(listed)) or 0.5 not in listed:
        raise BundleError("the quantiles are no ascending levels with 0.5; export the run again")
    return listed
