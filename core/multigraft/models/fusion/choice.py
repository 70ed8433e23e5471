"""Choosing a fusion: what a task's options ask for, and what they cannot."""

from __future__ import annotations

from typing import Any

from torch import nn

from multigraft.contracts.objectives import Brief
from multigraft.errors import RecipeError
from multigraft.models.branches import Branches
from multigraft.models.fusion.concatenation import Concatenation
from multigraft.models.fusion.cross_attention import CrossAttention
from multigraft.models.fusion.gated import GatedSum
from multigraft.models.fusion.options import CONCAT, CROSS, GATED, HIDES


def fusion_of(brief: Brief) -> tuple[nn.Module | None, int]:
    """What makes one vector of the branches' features, and its width; None where that is
    `Features.pooled`.

    Raises RecipeError for what is asked of one backbone alone.
    """
    backbone: Any = brief.backbone
    kind, hides = brief.options.get("fusion", CONCAT), brief.options.get(HIDES, 0.0)
    if not isinstance(backbone, Branches):
        _refuse(kind, hides)
        return None, backbone.width
    widths = {name: branch.width for name, branch in backbone.named.items()}
    if kind == CONCAT and not hides:
        return None, backbone.width
    width = backbone.width if kind == CONCAT else max(widths.values())
    made = {CONCAT: Concatenation, GATED: GatedSum, CROSS: CrossAttention}[kind]
    return made(widths, width, hides), width


def _refuse(kind: str, hides: float) -> None:
    asked = {"fusion": kind if kind != CONCAT else None, HIDES: hides or None}
    problems = [
        f"task.{name}: found {value!r}; it is for several branches, as backbone: {{text: ..., "
        "image: ...}}"
        for name, value in asked.items()
        if value is not None
    ]
    if problems:
        raise RecipeError(problems)
