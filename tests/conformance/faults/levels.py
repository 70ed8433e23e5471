"""Faults of a backbone's pyramid: each changes one thing of the lattice's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

import multigraft as mg
from helpers import greys
from helpers.greys.network import Lattice, build
from multigraft.contracts.types import Spec


class Narrower(Lattice):
    """Says fewer channels than it gives."""

    @property
    def levels(self) -> Sequence[mg.Level]:
        return [mg.Level(self.width - 1, 1), mg.Level(self.width, 2)]


class Cut(Lattice):
    """Loses the last cells of an odd picture."""

    def halved(self, hidden: Tensor) -> Tensor:
        return nn.functional.max_pool2d(hidden, 2)


class Unasked(Lattice):
    """Has levels that no task can ask for."""

    pyramid = None  # type: ignore[assignment]


class Coarsest(Lattice):
    """Gives the coarsest first."""

    @property
    def levels(self) -> Sequence[mg.Level]:
        return list(super().levels)[::-1]


def _as(kind: type[Lattice]) -> Callable[[mg.Origin, Spec], Lattice]:
    def built(origin: mg.Origin, spec: Spec) -> Lattice:
        module: Any = build(origin, spec)
        module.__class__ = kind
        return module  # type: ignore[no-any-return]

    return built


@dataclass(frozen=True, eq=False)
class Plugin:
    """The grey pictures with a backbone of another class."""

    kind: type[Lattice]

    @mg.hookimpl
    def register_modalities(self) -> Sequence[mg.Modality]:
        return greys.register_modalities()

    @mg.hookimpl
    def register_backbones(self) -> Sequence[mg.Backbone]:
        return [replace(each, build=_as(self.kind)) for each in greys.register_backbones()]
