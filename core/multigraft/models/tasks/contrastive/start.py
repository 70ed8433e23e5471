"""What a dual encoder begins with: what its towers' weights bring along, what its recipe asks for,
and where both are silent what the papers have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from multigraft.contracts.features import SharedSpace, shared_space_of
from multigraft.errors import RecipeError
from multigraft.models.branches import Branch
from multigraft.models.tasks.contrastive.head import FIRST_BIAS, DualHead
from multigraft.models.tasks.contrastive.task import INFO_NCE, SIGLIP

TEMPERATURES = {INFO_NCE: 0.07, SIGLIP: 0.1}
"""At first: Radford et al. 2021, 2.5; Zhai et al. 2023, 3.2."""
WIDTH = 512


@dataclass(frozen=True)
class Start:
    """The loss, and the values of a new head."""

    loss: str
    width: int
    log_scale: float
    bias: float | None
    spaces: Mapping[str, SharedSpace]
    """Of those branches whose weights bring one along."""

    @classmethod
    def of(cls, branches: Mapping[str, Branch], options: Mapping[str, Any]) -> Start:
        """Raises RecipeError where two towers share no space, or the recipe asks for another."""
        found = {name: shared_space_of(branch) for name, branch in branches.items()}
        spaces = {name: space for name, space in found.items() if space is not None}
        if problems := [*_apart(spaces), *_misfit(spaces, options["width"])]:
            raise RecipeError(problems)
        first = next(iter(spaces.values()), None)
        loss = options["loss"] or (INFO_NCE if first is None else first.loss)
        width = options["width"] or (WIDTH if first is None else first.width)
        known = _known(spaces, loss) if len(spaces) == len(branches) else None
        log_scale, bias = _logits(known, loss, options["temperature"])
        return cls(loss, width, log_scale, bias, spaces)

    def head(self, widths: Mapping[str, int]) -> nn.Module:
        """A head of the projections that are brought along, and new ones."""
        brought = {name: space.projection for name, space in self.spaces.items()}
        return DualHead(
            widths, self.width, log_scale=self.log_scale, bias=self.bias, brought=brought
        )


def _known(spaces: Mapping[str, SharedSpace], loss: str) -> SharedSpace | None:
    """The space that says how cosines become logits of this loss."""
    said = (each for each in spaces.values() if each.log_scale is not None and each.loss == loss)
    return next(said, None)


def _logits(
    known: SharedSpace | None, loss: str, temperature: float | None
) -> tuple[float, float | None]:
    """The log of the scale, and the bias of a loss that has one."""
    log_scale = -math.log(temperature or TEMPERATURES[loss])
    if known is not None and known.log_scale is not None and temperature is None:
        log_scale = known.log_scale
    if loss != SIGLIP:
        return log_scale, None
    return log_scale, FIRST_BIAS if known is None or known.bias is None else known.bias


def _apart(spaces: Mapping[str, SharedSpace]) -> list[str]:
    """What is wrong with towers that share no space."""
    told = {name: f"{space.model}, {space.width} wide" for name, space in spaces.items()}
    if len(set(told.values())) < 2:
        return []
    each = " and ".join(f"those of {name!r} as {said}" for name, said in told.items())
    return [
        f"backbone: the weights embed in different spaces, {each}; take both towers from one "
        "model, or leave one to a backbone that is no tower of a dual encoder"
    ]


def _misfit(spaces: Mapping[str, SharedSpace], width: int | None) -> list[str]:
    """What is wrong with a width that is asked for."""
    return [
        f"task.width: found {width}; the weights of {name!r} embed {space.width} wide: leave it out"
        for name, space in spaces.items()
        if width is not None and width != space.width
    ]
