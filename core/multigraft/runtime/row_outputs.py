"""Outputs of a graph for rows that were read; rows of like length are computed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError
from multigraft.runtime.branches import BranchSession
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.length_batches import cut, wide_shapes
from multigraft.runtime.session import Session


def row_outputs(
    session: Session | BranchSession,
    rows: Sequence[Arrays],
    reader: Reader,
    *,
    batch_size: int | None,
    budget: int | None,
) -> list[Arrays]:
    """The outputs for each row, in order; how many rows make a batch is as in `cut`."""
    lengths, fills = [reader.length(row) for row in rows], reader.fills
    shapes = wide_shapes(rows, fills)
    found: list[Arrays] = [{} for _ in rows]
    for indices in cut(lengths, rows=batch_size, budget=budget, shapes=shapes):
        outputs = session.run(collate([rows[index] for index in indices], fills))
        for place, index in enumerate(indices):
            found[index] = {name: array[place] for name, array in outputs.items()}
    return found


def warm_up(session: Session | BranchSession, bundle: Bundle) -> None:
    """Compute a batch of ones as large as the bundle says. Raises BundleError where it does not."""
    if not bundle.sample:
        raise BundleError(
            "the bundle does not say how large a row is; export it again to warm it up"
        )
    ones = {port.name: np.ones(bundle.sample[port.name], port.dtype) for port in bundle.inputs}
    session.run(ones)
