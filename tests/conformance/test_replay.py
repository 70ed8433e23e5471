"""Every backbone of ours is replayed, at any depth, for every task that leaves its inputs alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

import multigraft_series
from multigraft.contracts.plan import Plan
from multigraft.contracts.records import Backbone, Task
from multigraft.errors import MultigraftError
from multigraft.plugins.catalog import Catalog
from multigraft.runs.run import Run
from multigraft.system.compute.precision import Precision
from multigraft.testing.tiny_runs import assembled
from multigraft.training.forward import replay_setting
from multigraft.training.replay import UnfitError, open_player

CATALOG = Catalog([multigraft_series])
SETTINGS = [("fp32", 1), ("bf16", 1), ("bf16", 2)]
"""Precision, and threads."""
LARGE = ("inception", "timm", "vit", "detr")
"""Families whose smallest size takes long on two threads in bf16."""


def cases() -> Iterator[Any]:
    """Every task of every family; in bf16 classification alone, of the large ones on one thread,
    and `make soak` the others: what is frozen is the same under each."""
    for family in CATALOG.backbones():
        usual = f"{family.modality}-classification"
        for task in filter(lambda each: fits(family, each), CATALOG.tasks()):
            for precision, threads in SETTINGS:
                large = threads > 1 and family.name in LARGE
                slow = precision == "bf16" and (task.name != usual or large)
                marks = [pytest.mark.slow] if slow else []
                given = (family.name, task.name, precision, threads)
                yield pytest.param(*given, id="-".join(map(str, given)), marks=marks)


def fits(family: Backbone, task: Task) -> bool:
    """Whether the kit has rows with which the task learns by the family."""
    made = task.samples is not None or not set(task.columns) - {"label"}
    return family.modality in task.modalities and made


def freeze(run: Run, blocks: int) -> int:
    """Let what stands before so many blocks' end rest; how many blocks that are to
    `Plan.frozen`."""
    plan = Plan.start(run.graft).change(
        lambda block, name, rule: replace(rule, learns=block >= blocks)
    )
    plan.activate(0.0)
    return plan.frozen(0.0)


@pytest.mark.parametrize(("family", "task", "precision", "threads"), cases())
def test_ours_are_replayed(
    benches: Any, family: str, task: str, precision: Any, threads: int
) -> None:
    bench = benches["series"].bench
    backbone = next(each for each in bench.catalog.backbones() if each.name == family)
    try:
        run = assembled(
            bench, next(each for each in bench.catalog.tasks() if each.name == task), backbone
        )
    except MultigraftError:
        return  # a task says so where it is for other networks
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    setting = replay_setting(run, precision=Precision(precision))
    depth = len(list(run.graft.backbone.blocks))  # type: ignore[arg-type]
    try:
        for blocks in sorted({1, depth // 2, depth - 1, depth, depth + 1}):
            player = open_player(setting, freeze(run, blocks), run.rows["train"])
            assert player is not None
    except UnfitError as refused:
        assert str(refused) == "the task changes the inputs at every step"
    finally:
        torch.set_num_threads(before)
