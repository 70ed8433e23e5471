"""Recipe changes: whether a run's recipe is still the one in its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from multigraft.system.validation import short

FREE = (
    "output",
    "evaluation",
    "export",
    "track",
    "training.workers",
    "training.keep",
    "training.checkpoint_every",
)
"""Fields, and sections, that may change: no bit of the model follows from them."""
DEPTH = 4
"""Sections within sections that are compared field by field; deeper ones as a whole."""
SHOWN = 10
"""Fields that are told; whoever wrote the record may have written any number."""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the fields that decide the training and are no longer as they were.

    >>> changes({"seed": 1, "export": {"web": False}}, {"seed": 2, "export": {"web": True}})
    ['seed: found 2; the run began with 1']
    """
    old, new = deciding(before), deciding(now)
    names = dict.fromkeys([*old, *new])
    differing = [name for name in names if old.get(name, ...) != new.get(name, ...)]
    lines = [
        f"{name}: found {_told(new, name)}; the run began with {_told(old, name)}"
        for name in differing
    ]
    return [*lines[:SHOWN], *([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])]


def deciding(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe from which bits of the model follow, as ``training.epochs``.

    >>> deciding({"seed": 1, "training": {"epochs": 3, "keep": 2}, "output": "runs/x"})
    {'seed': 1, 'training.epochs': 3}
    """
    return {name: value for name, value in _leaves(recipe) if not _is_free(name)}


def _leaves(
    node: Mapping[str, Any], path: str = "", depth: int = DEPTH
) -> Iterator[tuple[str, Any]]:
    """Every field with its value, as ``training.epochs``."""
    for key, value in node.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and value and depth:
            yield from _leaves(value, f"{name}.", depth - 1)
        else:
            yield name, value


def _is_free(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in FREE)


def _told(values: Mapping[str, Any], name: str) -> str:
    return short(values[name]) if name in values else "nothing"
