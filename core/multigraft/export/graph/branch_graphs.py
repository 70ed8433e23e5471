"""Graphs of a graft with several branches: one of each branch, and one of the head behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from multigraft.contracts.branches import PRESENT, join_branches, of_branch
from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Objective, Outputs
from multigraft.contracts.padding import Fill, Fills
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError
from multigraft.export.graph.trace import ByName
from multigraft.models.branches import Branch, joined
from multigraft.models.graft import Graft
from multigraft.training.replay.frozen import Watch

START = "features."
"""How what a branch's graph gives is called, so that no array of a reader is called so too."""


class BranchServed(ByName):
    """One branch as it is deployed: its reader's arrays in, what the head reads of it out."""

    def __init__(self, branch: Branch, fields: Sequence[str], inputs: Sequence[str]) -> None:
        super().__init__(inputs)
        self.backbone = branch.backbone
        self.fields = tuple(fields)

    def serve(self, batch: Batch) -> Outputs:
        """Those fields of the features, by name; of a pyramid each map."""
        return dict(_named(self.backbone(batch), self.fields))


class HeadServed(ByName):
    """The head as it is deployed: what every branch gave in, what the objective serves out."""

    def __init__(self, graft: Graft, objective: Objective, inputs: Sequence[str]) -> None:
        super().__init__(inputs)
        self.head = graft.head
        self.objective = objective
        self.branches = tuple(graft.branches)

    def serve(self, batch: Batch) -> Outputs:
        """Named outputs of a batch."""
        found = {branch: _features(of_branch(branch, batch)) for branch in self.branches}
        features = joined(found, batch.get(PRESENT))
        return self.objective.serve(features, self.head(features, batch))


def fields_read(
    graft: Graft, objective: Objective, rows: Sequence[Arrays], fills: Fills
) -> dict[str, tuple[str, ...]]:
    """The fields of each branch's features that what is served depends on.

    Raises ExportError where the head reads arrays of the batch, which its graph does not have.
    """
    batch = tensors(rows, fills)
    watches = {name: Watch() for name in graft.branches}
    whole = Watch()
    with torch.no_grad():
        found = {
            name: watches[name].features(branch.placed(branch(batch), batch))
            for name, branch in graft.branches.items()
            if isinstance(branch, Branch)
        }
        features = joined(found, batch.get(PRESENT))
        objective.serve(features, graft.head(features, whole.batch(batch)))
    if read := sorted(whole.arrays - {PRESENT}):
        raise ExportError(
            f"the head reads {read[0]!r} of the batch; behind several branches it may read their "
            f"features and {PRESENT!r} alone"
        )
    return {name: tuple(sorted(watch.fields)) for name, watch in watches.items()}


def head_rows(served: Mapping[str, BranchServed], rows: Sequence[Arrays]) -> list[Arrays]:
    """What the head's graph is given for rows that have every branch, one by one."""
    found = []
    for row in rows:
        one = {name: array[None].copy() for name, array in row.items()}
        given = join_branches(
            {name: each.answer(of_branch(name, one)) for name, each in served.items()}
        )
        made = {name: array[0] for name, array in given.items()}
        found.append({**made, **({PRESENT: row[PRESENT]} if PRESENT in row else {})})
    return found


def head_fills(rows: Sequence[Arrays]) -> dict[str, Fill]:
    """The axes along which what branches give differs from row to row; those that differ alike
    share a name."""
    names: dict[tuple[int, ...], str] = {}
    fills = {}
    for name, array in rows[0].items():
        sizes = [tuple(row[name].shape[axis] for row in rows) for axis in range(array.ndim)]
        axes = {
            axis: names.setdefault(each, f"length_{len(names) + 1}")
            for axis, each in enumerate(sizes)
            if len(set(each)) > 1
        }
        if axes:
            fills[name] = Fill(0, axes)
    return fills


def tensors(rows: Sequence[Arrays], fills: Fills) -> Batch:
    """A batch of read rows."""
    return {name: torch.from_numpy(array) for name, array in collate(rows, fills).items()}


def _named(features: Features, fields: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    for field in fields:
        value = getattr(features, field)
        if isinstance(value, tuple):
            yield from ((f"{START}{field}.{place}", each) for place, each in enumerate(value))
        elif value is not None:
            yield f"{START}{field}", value


def _features(given: Mapping[str, Tensor]) -> Features:
    """Features of what `_named` gave, whatever is not there left out."""
    fields: dict[str, Any] = {}
    for name, value in given.items():
        field, _, place = name.removeprefix(START).partition(".")
        fields[field] = (*fields.get(field, ()), value) if place else value
    return Features(**fields)
