"""Values of fields that vary, with what people call them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One value of a field that varies, and what people call it."""

    label: str
    value: Any


Combination = Mapping[str, Choice]
"""What a cell has of each field that varies."""


def label_of(value: Any) -> str:
    """What people call a value.

    >>> label_of(0.01), label_of({"name": "partial", "blocks": 2}), label_of(["lora", "bitfit"])
    ('0.01', 'partial blocks=2', 'lora+bitfit')
    """
    if isinstance(value, Mapping):
        named = [str(value["name"])] if "name" in value else []
        others = {key: each for key, each in value.items() if key != "name"}
        return " ".join([*named, *(f"{key}={label_of(each)}" for key, each in others.items())])
    if isinstance(value, list | tuple):
        return "+".join(map(label_of, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def choices_of(given: Sequence[Any] | Mapping[str, Any]) -> list[Choice]:
    """Values as a grid lists them, or names them."""
    if isinstance(given, Mapping):
        return [Choice(str(label), value) for label, value in given.items()]
    return [Choice(label_of(value), value) for value in given]


def several(wanted: Any) -> Sequence[Any]:
    """What a rule names: one value, or a list of them."""
    return wanted if isinstance(wanted, list) else [wanted]


def is_value(choice: Choice, value: Any) -> bool:
    """Whether a rule's value is this one, or what it is called."""
    return bool(choice.value == value) or choice.label == label_of(value)
