"""An explanation: what was explained, how much each unit weighs, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multigraft.contracts.types import Answer
from multigraft.contracts.units import Units
from multigraft.runtime.explain.faithfulness import Faithfulness
from multigraft.runtime.explain.subject import split_units


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Of one value, by one method."""

    method: str
    of: str
    """The label whose probability it is about, or a regression's number."""
    value: float
    """The number that is explained, as it is answered."""
    hidden: float
    """The same where every unit is hidden, of the graph that explains."""
    answer: Answer
    units: Mapping[str, Units]
    """Of each branch; of one alone under an empty name."""
    weights: np.ndarray
    """[U], of all branches in their order."""
    calls: int
    """Rows that were computed for it, without those of ``faithfulness``."""
    seconds: float
    """That they took."""
    told: Mapping[str, float] = field(default_factory=dict)
    """What the method tells of itself."""
    faithfulness: Faithfulness | None = None
    """None: it was not measured."""
    precision: str = ""
    """Of a bundle's graph that explains."""
    explained_value: float | None = None
    """The number as that graph answers it, where another than it answered."""

    @property
    def told_answer(self) -> str:
        """The label that is answered, or several; empty where an answer is a number."""
        if isinstance(labels := self.answer.get("labels"), list):
            return ", ".join(labels) or "none"
        return str(self.answer.get("label") or "")

    def by_branch(self) -> dict[str, np.ndarray]:
        """The weights of each branch's units."""
        return split_units(self.weights, self.units)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the units with their weights, in their order."""
        faithful, another = self.faithfulness, self.explained_value
        return {
            "method": self.method,
            "of": self.of,
            "value": self.value,
            "hidden": self.hidden,
            **({"precision": self.precision} if self.precision else {}),
            **({} if another is None else {"explained_value": another}),
            "answer": self.answer,
            "units": [
                _unit(branch, units, number, float(weight))
                for branch, units in self.units.items()
                for number, weight in enumerate(self.by_branch()[branch])
            ],
            "calls": self.calls,
            "seconds": round(self.seconds, 4),
            **({"told": dict(self.told)} if self.told else {}),
            **({} if faithful is None else {"faithfulness": faithful.figures()}),
        }


def _unit(branch: str, units: Units, number: int, weight: float) -> dict[str, Any]:
    place = units.places[number].tolist()
    told = {
        "words": lambda: {"text": place[0], "start": place[1], "end": place[2]},
        "patches": lambda: {"box": place},
        "cells": lambda: {"box": place},
        "fields": lambda: {"value": units.shown[number] if units.shown is not None else None},
    }
    where = {"branch": branch} if branch else {}
    return {**where, "unit": units.names[number], "weight": weight, **told[units.kind]()}
