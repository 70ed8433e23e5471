"""Sample values with which `multigraft.testing` tries a plugin's records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Made-up raw values, with which `multigraft.testing` tries whatever reads this modality."""

    good: Callable[[np.random.Generator, int, Path], Sequence[Any]]
    """(rng, count, folder) -> values that differ, also in length, as a cell of JSON lines holds
    them.

    Where a value is a file, it is written to ``folder``, and the value is its path.
    """
    bad: Callable[[Path], Sequence[Any]]
    """(folder) -> values that the reader must refuse with RowError."""

    def __post_init__(self) -> None:
        if not callable(self.good) or not callable(self.bad):
            raise ValueError(f"samples are two functions, not {self.good!r}, {self.bad!r}")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Trial size of a backbone in `multigraft.testing`, and how its rows are read cheaply."""

    size: str
    """A key of `Backbone.sizes`, or what `Backbone.find` resolves."""
    reader: Mapping[str, Any] = field(default_factory=dict)
    """Options of the modality's reader, as ``{"size": 96}``."""
