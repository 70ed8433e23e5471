"""Rows of a batch mixed with one another, and the share of each that is its own; torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.types import Arrays

OWN_SHARE = "own_share"
"""How much of each row of a mixed batch is its own: float32 [B]."""
PARTNER = "partner."
"""Begins the name of a target's array of the rows that were mixed in."""


@dataclass(frozen=True)
class Mixture:
    """A batch whose rows were mixed, two each."""

    changed: Arrays
    """The arrays that hold parts of two rows."""
    partner: np.ndarray
    """The row that was mixed into each: int64 [B]."""
    share: np.ndarray
    """How much of each row is its own: float32 [B], 0 to 1."""


def mixed(batch: Arrays, mixture: Mixture) -> Arrays:
    """The batch as it was mixed, with what else each row's partner has."""
    others = {
        f"{PARTNER}{name}": array[mixture.partner]
        for name, array in batch.items()
        if name not in mixture.changed
    }
    return {**batch, **mixture.changed, **others, OWN_SHARE: mixture.share.astype(np.float32)}


def of_partners(names: Mapping[str, object]) -> dict[str, str]:
    """The arrays of partners by the names of the arrays that they stand for."""
    return {name.removeprefix(PARTNER): name for name in names if name.startswith(PARTNER)}
