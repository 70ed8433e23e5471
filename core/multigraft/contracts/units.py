"""Units: the pieces of a value that an explanation weighs, and the row with some of them hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from multigraft.contracts.types import Arrays

UnitKind = Literal["words", "patches", "cells", "fields"]
"""Words of a text, rectangles of a picture, time-frequency cells of a sound, cells of a table."""
UNIT_KINDS: tuple[str, ...] = get_args(UnitKind)
WIDTHS = {"words": 3, "patches": 4, "cells": 4, "fields": 0}
"""Numbers in the place of a unit of each kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """Interpretable components of one row (Ribeiro et al. 2016, section 3.1), U of them."""

    kind: UnitKind
    names: tuple[str, ...]
    """Of each for a person: the word, ``0.2-0.3 s, 500-900 Hz``, the field."""
    places: np.ndarray
    """[U, ...]: of a word the text (0, or 1 of a pair), its first character and the one after its
    last; of a patch or a cell left, top, right and bottom as shares of what is shown; of a field
    nothing."""
    hide: Callable[[np.ndarray], Arrays]
    """(bool [U]) -> the row's arrays with those units hidden, and all else as it was read.

    Names, shapes and types stay. What is hidden says nothing: a mask token, the mean colour, the
    background of a sound, a missing cell. In arrays of numbers (floats, and the uint8 of pixels)
    what hiding each unit changes adds up to what hiding all of them changes.
    """
    shown: Any = None
    """What a page draws below: the texts; uint8 [H, W, 3] of a picture, float [bands, frames] of a
    sound, low frequencies first; the cells of a table as texts."""

    def __len__(self) -> int:
        return len(self.names)


@runtime_checkable
class UnitReader(Protocol):
    """A reader that names the units of a row: optional, beside `Reader`. Explanations need it."""

    def units(self, raw: Any, row: Arrays) -> Units:
        """The units of one raw value, of which `read` gave ``row``: those alone that the row
        holds, at least one. Raises RowError for what `read` would refuse."""
        ...
