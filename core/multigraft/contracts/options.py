"""Whether a value is one that an `Option` allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from multigraft.contracts.records import Option
from multigraft.errors import DataError


def misfit(value: Any, option: Option) -> str | None:
    """Say what is wrong with an option's value, or None."""
    types = option.types or types_like(option.default)
    if isinstance(value, bool) and bool not in types:
        return f"it should be {_listed(types)}"
    if not isinstance(value, types):
        return f"it should be {_listed(types)}"
    if isinstance(value, list) and len(types) > 1:  # one value, or several
        alone = replace(option, types=tuple(kind for kind in types if kind is not list))
        return next(filter(None, (misfit(each, alone) for each in value)), None)
    if option.choices and value not in option.choices:
        return f"allowed: {', '.join(str(choice) for choice in option.choices)}"
    return _out_of_range(value, option)


def _out_of_range(value: Any, option: Option) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "it should be finite"
    if option.low is not None and value < option.low:
        return f"it should be at least {option.low:g}"
    if option.high is not None and value > option.high:
        return f"it should be at most {option.high:g}"
    return None


def check_limits(name: str, low: float, high: float | None) -> None:
    """Raise DataError where nothing lies between two limits.

    >>> check_limits("length", 50, 20)
    Traceback (most recent call last):
    ...
    multigraft.errors.DataError: length: nothing lies from low, 50, to high, 20; exchange them
    """
    if high is not None and low > high:
        raise DataError(f"{name}: nothing lies from low, {low:g}, to high, {high:g}; exchange them")


def types_like(default: Any) -> tuple[type, ...]:
    """The types of values that may stand in the place of a default."""
    return (int, float) if isinstance(default, float) else (type(default),)


def _listed(types: tuple[type, ...]) -> str:
    names = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
    names["list"] = "a list of them" if len(types) > 1 else "list"
    shown = [names.get(kind.__name__, kind.__name__) for kind in types]
    return "a number" if set(types) == {int, float} else " or ".join(dict.fromkeys(shown))


def defaults(options: Mapping[str, Option]) -> dict[str, Any]:
    """Every option at its default.

    >>> defaults({"top_k": Option(default=5, help="how many")})
    {'top_k': 5}
    """
    return {name: option.default for name, option in options.items()}
