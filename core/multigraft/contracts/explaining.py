"""Explainers: what a plugin registers to weigh the units of a value, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.contracts.units import UnitKind, Units

if TYPE_CHECKING:
    from torch import Tensor, nn

    from multigraft.contracts.features import Batch
    from multigraft.contracts.records import Option


@dataclass(frozen=True)
class Attribution:
    """Attribution: how much each unit of a value raises the number that is explained."""

    weights: np.ndarray
    """[U]: how much each unit raises the explained number; below 0, lowers it."""
    told: Mapping[str, float] = field(default_factory=dict)
    """What it tells of itself, as the error of completeness."""


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Feature attribution: weigh the units of a value by how much they raise the answer."""

    name: str
    explain: Callable[[Any, Mapping[str, Any]], Attribution]
    """(subject, options) -> the weights: a `Subject`, or where ``gradients`` are asked for a
    `GradientSubject`."""
    help: str
    """In a line, for a person who chooses one."""
    gradients: bool = False
    """Whether it needs the network, and so a run; else it explains a bundle too, without torch."""
    kinds: tuple[UnitKind, ...] = ()
    """The kinds of units that it weighs, as ``("patches",)``; empty: any."""
    options: Mapping[str, Option] = field(default_factory=dict)


class Subject(Protocol):
    """One value and the number that is explained: all that an explainer may ask. Torch-free."""

    @property
    def units(self) -> Mapping[str, Units]:
        """The units of each branch, in order; of one alone under an empty name."""
        ...

    @property
    def count(self) -> int:
        """U, the units of all branches."""
        ...

    @property
    def seed(self) -> int:
        """What all chance follows from."""
        ...

    def hide(self, hidden: np.ndarray) -> Arrays:
        """bool [U] -> the row with these units hidden."""
        ...

    def scores(self, hidden: np.ndarray) -> np.ndarray:
        """bool [N, U] -> the explained number [N] of the row with these units hidden, float64."""
        ...


class GradientSubject(Subject, Protocol):
    """Subject with gradients: one value of a run, whose network is there."""

    @property
    def graft(self) -> nn.Module:
        """The network in evaluation mode; ``graft.backbone`` gives the features."""
        ...

    def batch(self, hidden: np.ndarray) -> Batch:
        """bool [N, U] -> the rows with these units hidden, as tensors on the model's device."""
        ...

    def number(self, batch: Batch) -> Tensor:
        """The explained number [N] of a batch, with its gradient."""
        ...
