"""Several backbones side by side, each on its own arrays of a row: the branches of a graft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.branches import PRESENT, of_branch
from multigraft.contracts.features import FIELDS, Batch, Features, SharedSpace, shared_space_of
from multigraft.models.modes import evaluating


class Branch(nn.Module):
    """A backbone that sees its own arrays of those rows of a batch that have them."""

    def __init__(self, name: str, place: int, backbone: nn.Module, *, writes: bool = False) -> None:
        super().__init__()
        self.name = name
        self.writes = writes
        """Whether it reads nothing, and its decoder writes about what the others read."""
        self.place = place
        """Its column in ``present``."""
        self.backbone = backbone

    @property
    def width(self) -> int:
        """D of the backbone's features."""
        found: Any = self.backbone.width
        return int(found)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The backbone's; none of an encoder whose decoder alone writes."""
        found: Any = self.backbone.blocks
        return [] if self.writes and self.later else list(found)

    @property
    def later(self) -> Sequence[nn.Module]:
        """The backbone's."""
        return list(getattr(self.backbone, "later", ()))

    @property
    def shared_space(self) -> SharedSpace | None:
        """The backbone's, where it is a tower of a dual encoder."""
        return shared_space_of(self.backbone)

    def forward(self, batch: Batch) -> Features:
        """The features of the rows that have this branch, those alone: [rows that have it, ...]."""
        own, rows = of_branch(self.name, batch), self.rows(batch)
        if rows is not None:
            own = {name: values[rows] for name, values in own.items()}
        features: Features = self.backbone(own)
        return features

    def rows(self, batch: Batch) -> Tensor | None:
        """The numbers of the rows that have this branch; None where every row has."""
        if PRESENT not in batch:
            return None
        there = batch[PRESENT][:, self.place] > 0
        return None if bool(there.all()) else there.nonzero().squeeze(1)

    def placed(self, features: Features, batch: Batch) -> Features:
        """Features of the rows that have this branch among those that do not, where zeros stand."""
        rows = self.rows(batch)
        return features if rows is None else _placed(features, rows, len(batch[PRESENT]))

    def nothing(self, batch: Batch) -> Features:
        """What stands for the features where no row has this branch: zeros of the shapes that one
        blank row gives, which is computed only where more than ``pooled`` is read."""
        count, device = len(batch[PRESENT]), batch[PRESENT].device
        made = object.__new__(_Absent)
        pooled = torch.zeros(count, self.width, device=device)
        made.__dict__.update(_pooled=pooled, _blank=partial(self._blank, batch), _count=count)
        return made

    def _blank(self, batch: Batch) -> Features:
        """The features of the first row, as they are evaluated, though it has no value here."""
        one = {name: values[:1] for name, values in of_branch(self.name, batch).items()}
        with evaluating(self.backbone), torch.no_grad():
            features: Features = self.backbone(one)
        return features


class Branches(nn.Module):
    """Several branches as one backbone: `Features.branches`, and all of them joined in
    ``pooled``."""

    blocks: Sequence[nn.Module] = ()
    head_bias = True

    def __init__(self, backbones: Mapping[str, nn.Module], writer: str = "") -> None:
        """``writer`` names the branch that reads nothing, where one writes about the others."""
        super().__init__()
        read = [name for name in backbones if name != writer]
        places = {name: place for place, name in enumerate(read)}
        self.towers = nn.ModuleList(
            Branch(name, places.get(name, -1), backbone, writes=name == writer)
            for name, backbone in backbones.items()
        )

    @property
    def named(self) -> dict[str, Branch]:
        """The branches by name."""
        return {tower.name: tower for tower in self.towers if isinstance(tower, Branch)}

    @property
    def read(self) -> dict[str, Branch]:
        """Those that read a value: all but the one that writes."""
        return {name: branch for name, branch in self.named.items() if not branch.writes}

    @property
    def writer(self) -> Branch | None:
        """The branch that writes about the others; None where all are read."""
        return next((branch for branch in self.named.values() if branch.writes), None)

    @property
    def width(self) -> int:
        """The sum of the widths of those that are read."""
        return sum(branch.width for branch in self.read.values())

    def forward(self, batch: Batch) -> Features:
        """Compute every branch."""
        return self.join({}, batch)

    def join(self, given: Mapping[str, Features], batch: Batch) -> Features:
        """The features of a batch, those of some branches ``given`` as `Branch.forward` gives
        them."""
        found = {}
        for name, branch in self.read.items():
            rows = branch.rows(batch)
            if rows is not None and not len(rows):
                found[name] = branch.nothing(batch)
                continue
            features = given[name] if name in given else branch(batch)
            found[name] = branch.placed(features, batch)
        return joined(found, batch.get(PRESENT))

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write each branch's weights in its ecosystem's format, in a folder of its name."""
        del head, labels
        for name, branch in self.named.items():
            (folder / name).mkdir()
            backbone: Any = branch.backbone
            backbone.save(folder / name, head=None, labels=())


def joined(found: Mapping[str, Features], present: Tensor | None) -> Features:
    """All branches' features, their pooled vectors side by side: [B, sum of D]."""
    pooled = torch.cat([features.pooled.float() for features in found.values()], dim=1)
    return Features(pooled, branches=found, present=present)


def _placed(features: Features, rows: Tensor, count: int) -> Features:
    """Features whose tensors stand among ``count`` rows, each placed when it is asked for."""
    placed = object.__new__(_Placed)
    placed.__dict__.update(_inner=features, _rows=rows, _count=count)
    return placed


class _Placed(Features):
    def __getattribute__(self, name: str) -> Any:
        if name not in FIELDS:
            return super().__getattribute__(name)
        held = object.__getattribute__(self, "__dict__")
        found = getattr(held["_inner"], name)
        return _among(found, held["_rows"], held["_count"])


class _Absent(Features):
    def __getattribute__(self, name: str) -> Any:
        if name not in FIELDS:
            return super().__getattribute__(name)
        held = object.__getattribute__(self, "__dict__")
        if name == "pooled":
            return held["_pooled"]
        if "_made" not in held:
            held["_made"] = held["_blank"]()
        return _zeros(getattr(held["_made"], name), held["_count"])


def _zeros(value: Any, count: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_zeros(each, count) for each in value)
    return value.new_zeros((count, *value.shape[1:])) if isinstance(value, Tensor) else value


def _among(value: Any, rows: Tensor, count: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_among(each, rows, count) for each in value)
    if not isinstance(value, Tensor):
        return value
    whole = value.new_zeros((count, *value.shape[1:]))
    return whole.index_copy(0, rows, value)


class Rest(nn.Module):
    """All of a graft but one of its branches: from that branch's features to the outputs.

    A branch and this as its head are a graft of one branch: so its frozen part is found, tried and
    replayed as that of any other.
    """

    def __init__(self, branches: Branches, name: str, head: nn.Module) -> None:
        super().__init__()
        self.branches = branches
        self.name = name
        self.head = head

    def forward(self, features: Features, batch: Batch) -> dict[str, Tensor]:
        """What the whole graft gives."""
        outputs: dict[str, Tensor] = self.head(
            self.branches.join({self.name: features}, batch), batch
        )
        return outputs
