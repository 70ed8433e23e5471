"""Replay of several branches: each goes on from the results of its own frozen part."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.data import ChosenRows, Rows, SomeRows
from multigraft.training.replay.player import Replayed


@dataclass(frozen=True)
class BranchReplayed:
    """The results of one branch for those rows of a split that have it."""

    replayed: Replayed
    places: np.ndarray
    """[rows] of the split: the number of each among those that have the branch, -1 for others."""


@dataclass(frozen=True)
class ReplayedBranches:
    """The results of every branch that is replayed."""

    branches: Mapping[str, BranchReplayed]

    @property
    def reads(self) -> frozenset[str] | None:
        """The arrays of a row that are still read by what is computed; None where all may be."""
        told = [part.replayed.reads for part in self.branches.values()]
        known = [each for each in told if each is not None]
        return frozenset.intersection(*known) if known else None

    def outputs(self, model: nn.Module, batch: Batch, indices: np.ndarray) -> Outputs:
        """Compute outputs of ``model`` (the graft, or a wrapper) for a batch of these rows."""
        with ExitStack() as stack:
            for part in self.branches.values():
                places = part.places[np.asarray(indices)]
                if len(own := places[places >= 0]):
                    stack.enter_context(part.replayed.answering(own.tolist()))
            outputs: Outputs = model(batch)
        return outputs


Replay = Replayed | ReplayedBranches
"""What is replayed of a split."""


def of_branches(rows: Rows, found: Mapping[str, Replayed]) -> Replay:
    """What is replayed of a split, from the results of each of its branches that is."""
    if "" in found:
        return found[""]
    return ReplayedBranches(
        {branch: BranchReplayed(each, having(rows, branch)[1]) for branch, each in found.items()}
    )


def having(rows: Rows, branch: str) -> tuple[SomeRows, np.ndarray]:
    """The rows that have a branch (all where ``branch`` is empty), and the number of each row of
    the split among them; -1 for others."""
    if not branch:
        return rows, np.arange(len(rows))
    there = np.array([branch in rows.raw(index) for index in range(len(rows))], dtype=bool)
    places = np.where(there, np.cumsum(there) - 1, -1)
    return (rows if there.all() else ChosenRows(rows, np.flatnonzero(there))), places
