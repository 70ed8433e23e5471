"""Answers that are what the graph gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer, Spec


class Outputs(Answers):
    """Every output as it is.

    >>> import numpy as np
    >>> window = Window({}, {"mean": np.array(1.5), "top": np.array([3, 1])})
    >>> Outputs({}).answer("a", [window], {})
    {'mean': 1.5, 'top': [3, 1]}
    """

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """The numbers as lists in lists."""
        return {name: array.tolist() for name, array in windows[0].outputs.items()}
