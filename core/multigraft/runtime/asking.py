"""What is asked of an answer, and counts that a caller sets, checked in this one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np

from multigraft.contracts.options import defaults, misfit
from multigraft.contracts.records import Option
from multigraft.errors import PredictError, did_you_mean

Long = Literal["truncate", "window", "refuse"]
"""What becomes of a value that is longer than one row."""
OnError = Literal["raise", "return"]
"""What becomes of a value that cannot be read: its error ends the call, or is its answer."""


def is_whole(value: Any) -> bool:
    """Tell a whole number of Python's or numpy's from all else; true and false are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_choices(**given: tuple[str, Sequence[str]]) -> None:
    """Raise PredictError for a word that is none of those allowed, each by its setting's name."""
    for name, (found, allowed) in given.items():
        if found not in allowed:
            raise PredictError(f"{name} is {found!r}; allowed: {', '.join(map(repr, allowed))}")


def check_counts(**counts: int | None) -> None:
    """Raise PredictError for a count that is no whole number from 1; None is unset."""
    for name, value in counts.items():
        if value is not None and not (is_whole(value) and value >= 1):
            raise PredictError(f"{name} is {value!r}; it must be a whole number of at least 1")


def check_asked(
    asks: Mapping[str, Option], asked: Mapping[str, Any], *, task: str
) -> dict[str, Any]:
    """What is asked, with every default filled in; None asks for nothing. Raises PredictError.

    >>> asks = {"top_k": Option(default=None, types=(int,), low=1, help="how many")}
    >>> check_asked(asks, {"top_k": 3}, task="a"), check_asked(asks, {"top_k": None}, task="a")
    ({'top_k': 3}, {'top_k': None})
    """
    found = {name: plain(value) for name, value in asked.items() if value is not None}
    for name, value in found.items():
        if name not in asks:
            told = did_you_mean(name, asks) if asks else "nothing may be asked of them"
            raise PredictError(f"the answers of task {task!r} take no {name!r}; {told}")
        if problem := misfit(value, asks[name]):
            raise PredictError(f"{name} is {value!r}; {problem}")
    return {**defaults(asks), **found}


def given_asks(
    asks: Mapping[str, Option], asked: Mapping[str, Any], *, task: str
) -> dict[str, Any]:
    """What is asked as `check_asked` gives it, without the defaults. Raises PredictError."""
    whole = check_asked(asks, asked, task=task)
    return {name: whole[name] for name in asked if name in whole}


def plain(value: Any) -> Any:
    """A number of numpy as Python's."""
    return value.item() if isinstance(value, np.generic) else value
