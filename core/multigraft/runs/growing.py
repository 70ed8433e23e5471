"""Grow a graft: from a resolved recipe to backbones with weights, a head, and a plan."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_model
from torch import nn

from multigraft.contracts.branches import BRANCHES, of_branch
from multigraft.contracts.features import levels_of
from multigraft.contracts.objectives import Brief, Objective
from multigraft.contracts.plan import Plan
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Spec
from multigraft.errors import RecipeError
from multigraft.models.branches import Branches
from multigraft.models.graft import Graft
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.record import read_record
from multigraft.runs.run import HEAD
from multigraft.system.resume_command import RECORD

log = logging.getLogger("multigraft")


def with_weights_of(resolved: ResolvedRecipe, model: Path) -> ResolvedRecipe:
    """The recipe with the weights of a trained model, in which nothing more learns."""
    branches = {
        name: replace(
            branch,
            origin=replace(branch.origin, path=model / name, hub=None, own=True),
            strategies=(),
        )
        for name, branch in resolved.branches.items()
    }
    return replace(resolved, branches=branches)


def grow(
    resolved: ResolvedRecipe, reader: Reader, spec: Spec, targets: Spec
) -> tuple[Objective, Graft]:
    """The task's objective, and a graft of its backbones with a new head."""
    backbone = _backbone(resolved, spec)
    objective = bind(resolved, backbone, reader, targets)
    return objective, Graft(backbone, objective.head())


def bind(resolved: ResolvedRecipe, backbone: nn.Module, reader: Reader, targets: Spec) -> Objective:
    """The task's objective for this run."""
    return resolved.task.objective(
        Brief(
            backbone=backbone,
            reader=reader,
            targets=targets,
            options=resolved.task_options,
            modality=resolved.modality.name,
        )
    )


def _backbone(resolved: ResolvedRecipe, spec: Spec) -> nn.Module:
    """The backbone, or those of several branches side by side."""
    built = {
        name: branch.backbone.build(branch.origin, of_branch(name, spec) if name else spec)
        for name, branch in resolved.branches.items()
    }
    if resolved.several:
        return Branches(built, resolved.writer)
    if resolved.task.levels:
        _ask_for_levels(built[""], resolved)
    return built[""]


def _ask_for_levels(backbone: Any, resolved: ResolvedRecipe) -> None:
    """Have the backbone give its pyramid. Raises RecipeError where it has none."""
    if not levels_of(backbone):
        raise RecipeError([_no_levels(resolved)])
    backbone.pyramid = True


def _no_levels(resolved: ResolvedRecipe) -> str:
    name = resolved.branches[""].origin.backbone
    return (
        f"backbone: {name!r} gives no maps at several strides, and task {resolved.task.name!r} "
        "reads them; use another backbone"
    )


def inherit_head(graft: Graft, resolved: ResolvedRecipe, targets: Spec) -> bool:
    """Take over the head of weights that are a run of the same task with the same targets, and of
    the same branches in the same order; whether it was."""
    model = _whole(resolved)
    if model is None or not (model / HEAD).exists() or not (model.parent / RECORD).exists():
        return False
    parent = read_record(model.parent)
    branches = list(parent.get("reader", {}).get(BRANCHES, ("",)))
    same = (resolved.task.name, targets, list(resolved.branches))
    if (parent.get("task"), parent.get("targets"), branches) == same:
        load_model(graft.head, str(model / HEAD), strict=True)
        log.info("the head goes on from %s", model.parent)
        return True
    return False


def plan_of(graft: Graft, resolved: ResolvedRecipe) -> Plan:
    """What learns: each branch's strategies, one after another. Raises RecipeError where they begin
    with nothing."""
    plan = Plan.start(graft)
    for name, branch in resolved.branches.items():
        plan = replace(plan, branch=name)
        for strategy, options in branch.strategies:
            plan = strategy.plan(plan, options)
    plan = _reading(plan, resolved.writer)
    if not any(rule.active(0.0) for rule in plan.rules.values()):
        raise RecipeError([_nothing_learns(resolved)])
    return replace(plan, branch="")


def _reading(plan: Plan, writer: str) -> Plan:
    """The plan without the encoder of a branch that writes by its decoder: it reads nothing."""
    backbone: Any = plan.graft.branches[writer].backbone if writer else None
    if backbone is None or not getattr(backbone, "later", ()):
        return plan
    unread = {id(each) for block in backbone.blocks for each in block.parameters()}
    never = {name for name, each in plan.graft.named_parameters() if id(each) in unread}
    rules = {
        name: replace(rule, learns=rule.learns and name not in never)
        for name, rule in plan.rules.items()
    }
    return replace(plan, rules=rules)


def _nothing_learns(resolved: ResolvedRecipe) -> str:
    each = (
        strategy.name for branch in resolved.branches.values() for strategy, _ in branch.strategies
    )
    return (
        f"strategy: {', '.join(dict.fromkeys(each))} begins with the head alone, and that of task "
        f"{resolved.task.name!r} has no weights of its own, so nothing would learn; use full, "
        "partial or lora"
    )


def _whole(resolved: ResolvedRecipe) -> Path | None:
    """The model folder of the one run that every branch goes on from; None where there is none."""
    paths = {name: branch.origin.path for name, branch in resolved.branches.items()}
    found = {
        path if not name else path.parent
        for name, path in paths.items()
        if path is not None and name in ("", path.name)
    }
    return found.pop() if len(found) == 1 and None not in paths.values() else None
