"""Checks of how a backbone learns: gradients, strategies, and replaying what is frozen."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.plan import Plan, block_of
from multigraft.contracts.records import Strategy, Task
from multigraft.data import Epoch, iterate
from multigraft.errors import MultigraftError, RecipeError
from multigraft.models.adapters import merge_adapters
from multigraft.models.graft import Graft
from multigraft.models.tasks.classification import LinearHead
from multigraft.runs.run import Run
from multigraft.testing.tiny_runs import assembled, engine_of, heard, recipe_of, trial_task
from multigraft.testing.untrained import Grown, grow
from multigraft.testing.workbench import Subject

DEPTHS = 4
"""Of a deep network's depths, those at which it is replayed."""
BATCH = 6
"""Rows that a loss is computed of."""
CLOSE = {"atol": 1e-5, "rtol": 1e-3}


def gradients(subject: Subject) -> Iterator[str]:
    """Check that blocks learn from the features; parameters from them, a task or an option."""
    grown = grow(subject.bench, subject.record)
    module = copy.deepcopy(grown.module)
    missing = _unreached(module, grown)
    for index, block in enumerate(module.blocks):
        if not any(parameter.grad is not None for parameter in block.parameters()):
            yield f"no gradient reaches block {index}"
    if missing:
        missing -= _by_tasks(subject) | _by_options(grown)
    if missing:
        inside = {id(parameter) for block in module.blocks for parameter in block.parameters()}
        first = min(missing)
        where = "inside" if id(dict(module.named_parameters())[first]) in inside else "outside"
        yield (
            f"no gradient reaches {len(missing)} parameters in any task, as {first!r} ({where} the "
            "blocks)"
        )


def _unreached(module: Any, grown: Grown) -> set[str]:
    """The parameters that the features of a batch leave without a gradient."""
    found = module.train()(grown.batch(0, 1, 2, 3))
    loss = found.pooled.square().sum()
    loss = loss if found.sequence is None else loss + found.sequence.square().sum()
    (loss + sum(level.square().sum() for level in found.maps)).backward()
    return {name for name, parameter in module.named_parameters() if parameter.grad is None}


def _by_tasks(subject: Subject) -> set[str]:
    """What the modality's tasks reach."""
    found: set[str] = set()
    for task in _tasks(subject.bench, subject.record.modality):
        with suppress(MultigraftError):  # a task says so where it is for other networks
            found |= reached(assembled(subject.bench, task, subject.record))
    return found


def _by_options(grown: Grown) -> set[str]:
    """What is reached where one of the backbone's options is at its upper bound."""
    found: set[str] = set()
    for name, option in grown.family.options.items():
        if option.high is not None:
            origin = replace(grown.origin, config={**grown.origin.config, name: option.high})
            module: Any = grown.family.build(origin, grown.spec)
            names = {each for each, _ in module.named_parameters()}
            found |= names - _unreached(module, grown)
    return found


def _tasks(bench: Any, modality: str) -> list[Task]:
    tasks = [task for task in bench.catalog.tasks() if modality in task.modalities]
    return [task for task in tasks if task.samples is not None or not set(task.columns) - {"label"}]


def reached(run: Run) -> set[str]:
    """The names of the backbone's parameters that a batch of a task gives a gradient."""
    graft = run.graft.train()
    graft.zero_grad(set_to_none=True)
    batch = batch_of(run)
    run.objective.loss(graft(batch), batch).mean().backward()
    return {
        name for name, parameter in graft.backbone.named_parameters() if parameter.grad is not None
    }


def batch_of(run: Run) -> Batch:
    """The first training rows of a run as a batch, prepared as in training."""
    rows = run.rows["train"]
    batches = iterate(rows, [np.arange(BATCH)], Epoch(seed=0, train=True))
    return next(iter(batches))[1]


def strategies(subject: Subject) -> Iterator[str]:
    """Every strategy that is registered takes two steps with it."""
    grown = grow(subject.bench, subject.record)
    for strategy in subject.bench.catalog.strategies():
        yield from steps_with(grown, strategy)


def steps_with(grown: Grown, strategy: Strategy) -> Iterator[str]:
    """Two steps of a graft under a strategy: what its plan says learns, and nothing else, moves."""
    options = {name: option.default for name, option in strategy.options.items()}
    who = f"strategy {strategy.name} with {grown.family.name}"
    graft = Graft(
        copy.deepcopy(grown.module),
        LinearHead(grown.module.width, 2, bias=grown.module.head_bias, dropout=0.0),
    )
    try:
        plan = strategy.plan(Plan.start(graft), options)
    except RecipeError as error:
        yield f"{who}: its own defaults are refused: {error}"
        return
    if not isinstance(plan, Plan):
        yield f"{who}: gave {type(plan).__name__}; a Plan is needed"
        return
    if plan.rules.keys() != dict(graft.named_parameters()).keys():
        yield f"{who}: the plan has rules for other parameters than the graft has"
        return
    plan.activate(1.0)
    groups = plan.groups()
    if not groups:
        yield f"{who}: nothing learns"
        return
    before = {name: value.clone() for name, value in graft.named_parameters()}
    batch = grown.batch(0, 1, 2, 3)
    optimizer = torch.optim.Adam([{"params": list(group.parameters)} for group in groups], lr=1e-3)
    # a low-rank update's first factor moves only once the second is no longer zero
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(graft(batch)["logits"], torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()
    moved = {
        name for name, value in graft.named_parameters() if not torch.equal(value, before[name])
    }
    learning = {name for group in groups for name in group.names}
    behind = {  # a decoder's, which this head does not call
        name for name, block in block_of(graft).items() if block >= len(grown.module.blocks)
    }
    yield from _moves(who, moved, learning, behind if _later(grown) else set())
    merge_adapters(graft)
    if not torch.isfinite(graft.eval()(batch)["logits"]).all():
        yield f"{who}: the outputs are not finite after two steps"


def _moves(who: str, moved: set[str], learning: set[str], behind: set[str]) -> Iterator[str]:
    if moved - learning:
        yield f"{who}: {min(moved - learning)!r} moved, though the plan says that it does not learn"
    if "head.linear.weight" in learning and "head.linear.weight" not in moved:
        yield f"{who}: the head did not move"
    inside = {name for name in learning - behind if name.startswith("backbone")}
    if inside and not inside & moved:
        yield f"{who}: no parameter of the backbone moved"


def replay(subject: Subject) -> Iterator[str]:
    """Replayed and recomputed trainings end with the same weights, at several depths."""
    grown = grow(subject.bench, subject.record)
    strategies: list[Any] = ["linear-probe"]
    strategies += [{"name": "partial", "blocks": count} for count in _depths(grown)]
    for number, strategy in enumerate(strategies):
        with heard() as said:
            replayed, recomputed = (
                _train(subject, f"{number}-{way}", strategy, way) for way in ("auto", "off")
            )
        if not any("replaying" in line for line in said):
            why = next((line for line in said if "frozen part" in line), "it says nothing")
            yield f"with {strategy} the frozen part is not replayed: {why}"
            return
        theirs, ours = recomputed.graft.state_dict(), replayed.graft.state_dict()
        far = [name for name in theirs if not torch.allclose(ours[name], theirs[name], **CLOSE)]
        if far:
            yield f"with {strategy}, replayed training ends with other weights, as {far[0]!r}"
            return


def _depths(grown: Grown) -> list[int]:
    """How many of the last blocks learn."""
    depth = len(grown.module.blocks)
    many = 1 if grown.large else DEPTHS
    counts = sorted({1, 2, depth // 2, depth - 1} - {0, depth})[:many]
    return [_later(grown) + count for count in counts]


def _later(grown: Grown) -> int:
    """How many blocks a decoder has behind the features."""
    return len(getattr(grown.module, "later", ()))


def _train(subject: Subject, name: str, strategy: Any, way: str) -> Run:
    bench, family = subject.bench, subject.record
    task = trial_task(family.modality)
    recipe = recipe_of(
        bench,
        task,
        family,
        bench.folder / f"replay-{family.name}-{name}",
        strategy=strategy,
        training={"optimizer": "sgd", "replay": way, "solve": "off"},
    )
    return engine_of(bench).start(recipe, "finetune")
