"""Graphs of several branches: one for each, and one of the head that reads what they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.branches import PRESENT, name_in, of_branch
from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.session import PortShape, Session


class BranchSession:
    """Runs each branch's graph on the rows that have it, then the head's on all of them.

    What a row lacks is not computed; zeros stand for it.
    """

    def __init__(self, branches: Mapping[str, Session], head: Session) -> None:
        self._branches = dict(branches)
        self._head = head
        self._shapes = {
            name_in(branch, name): (dtype, shape)
            for branch, session in branches.items()
            for name, dtype, shape in session.ports()[1]
        }
        self.outputs = head.outputs

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it takes, each branch's under its own."""
        return tuple(name for name, _, _ in self.ports()[0])

    def run(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Compute one batch; arrays that no graph has are passed over. Raises BundleError."""
        rows = len(next(iter(arrays.values())))
        present = arrays.get(PRESENT, np.ones((rows, len(self._branches)), dtype=np.int64))
        found: Arrays = {PRESENT: present}
        for place, (branch, session) in enumerate(self._branches.items()):
            there = np.flatnonzero(present[:, place])
            found |= self._placed(branch, session, of_branch(branch, arrays), there, rows)
        return self._head.run(found)

    def ports(self) -> tuple[list[PortShape], list[PortShape]]:
        """Inputs and outputs as (name, numpy dtype, shape)."""
        inputs = [
            (name_in(branch, name), dtype, _renamed(branch, shape))
            for branch, session in self._branches.items()
            for name, dtype, shape in session.ports()[0]
        ]
        taken, given = self._head.ports()
        return [*inputs, *(port for port in taken if port[0] == PRESENT)], given

    def _placed(
        self, branch: str, session: Session, own: Arrays, there: np.ndarray, rows: int
    ) -> Arrays:
        """What a branch gives for its rows, among all."""
        if len(there) == rows:
            given = session.run(own)
        elif len(there):
            given = session.run({name: array[there] for name, array in own.items()})
        else:
            given = {name: self._nothing(branch, name) for name in session.outputs}
        if len(there) < rows:
            given = {name: _among(array, there, rows) for name, array in given.items()}
        return {name_in(branch, name): array for name, array in given.items()}

    def _nothing(self, branch: str, name: str) -> np.ndarray:
        """An output of no rows; what varies from row to row is one long."""
        dtype, shape = self._shapes[name_in(branch, name)]
        return np.zeros([0, *(each if isinstance(each, int) else 1 for each in shape[1:])], dtype)


def whole_session(
    bundle: Bundle, main: Session, roles: Mapping[str, Session], folder: Path
) -> Session | BranchSession:
    """What computes a batch: the main graph, or those of all branches with it as their head;
    where texts are written, one graph reads all branches.

    Raises BundleError where branches and graphs are not each other's.
    """
    if not bundle.branches or bundle.generation is not None:
        return main
    if odd := sorted(bundle.branches.keys() ^ roles.keys()):
        raise BundleError(
            f"{folder}: branch {odd[0]!r} has no graph, or a graph no branch; export the run again"
        )
    return BranchSession({branch: roles[branch] for branch in bundle.branches}, main)


def _renamed(branch: str, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """A shape whose varying axes, the batch apart, are called after their branch."""
    return tuple(
        f"{branch}_{each}" if isinstance(each, str) and each != "batch" else each for each in shape
    )


def _among(array: np.ndarray, there: np.ndarray, rows: int) -> np.ndarray:
    whole = np.zeros((rows, *array.shape[1:]), array.dtype)
    whole[there] = array
    return whole
