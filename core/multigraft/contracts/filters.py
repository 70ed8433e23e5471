"""Filters: steps by which a corpus is prepared; each keeps a value, mends it, or drops its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multigraft.contracts.records import Likeness, Modality, Option


@dataclass(frozen=True)
class Dropped:
    """A row is left out."""

    why: str
    """In a few words that do not vary with the value, since rows are counted by them."""
    told: str = ""
    """What is said of this value, where that tells more, as ``sharpness 12.3, below 20``: shown
    with it where it is an example, and not counted."""


Judge = Callable[[Any], Any]
"""A value -> the value itself, a mended one, or `Dropped`. The same value always gives the same."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A step of `multigraft prepare`: it looks at each value alone, or for duplicates in them all.

    Exactly one of ``judge`` and ``likeness`` is given.
    """

    name: str
    """As ``gopher-words``."""
    modality: str = ""
    """Whose values it judges; empty: those of any."""
    help: str
    """What it drops or mends, in a sentence."""
    source: str
    """Where the rule and its defaults come from: a paper, a standard, or ``own``."""
    judge: Callable[[Mapping[str, Any]], Judge] | None = None
    """(options) -> the function that judges one value; called with the recipe, and once in each
    process. Raises DataError for options that make no sense together."""
    notes: Callable[[Mapping[str, Any]], Sequence[str]] | None = None
    """(options) -> what a person should know of the step with these options, a sentence each."""
    opened: Callable[[Any], Any] | None = None
    """Raw value -> what is judged, as a decoded picture; steps that name the same share one. What
    it refuses with RowError is dropped. What was opened is kept or dropped, and never mended."""
    likeness: Callable[[Mapping[str, Any], Modality], Likeness] | None = None
    """(options, the modality) -> how duplicates are found: of rows that are near each other the
    first is kept."""
    options: Mapping[str, Option] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    """Names under which a recipe asks for several filters at their defaults, as ``gopher``."""
    keeps: Callable[[], Any] | None = None
    """Make a raw value that is kept as it is at the defaults."""
    drops: Callable[[], Any] | None = None
    """Make one that is dropped at the defaults, or mended."""
    trial: Mapping[str, Any] = field(default_factory=dict)
    """Options that ``keeps`` and ``drops`` are tried with, where the defaults do nothing."""
