"""A check of the conformance kit: what is promised, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "plugin", "modality", "backbone", "task", "strategy", "format", "filter", "explainer"
]


class Skipped(Exception):
    """A check that cannot be made here; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise, and the function that tries it."""

    name: str
    of: Kind
    run: Callable[[Any], Iterator[str]]
    """(subject) -> what is wrong, a sentence each. Raises Skipped."""
    what: str
    """What is tried."""
    why: str
    mend: str
