"""Every backbone of ours is replayed, at any depth, for every task that leaves its inputs alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import multigraft_series
from multigraft.contracts.plan import Plan
from multigraft.errors import MultigraftError
from multigraft.plugins.catalog import Catalog
from multigraft.runs.run import Run
from multigraft.system.compute.precision import Precision
from multigraft.testing.tiny_runs import assembled
from multigraft.training.forward import replay_setting
from multigraft.training.replay import UnfitError, open_player

CATALOG = Catalog([multigraft_series])
PAIRS = [
    pytest.param(family.name, task.name, id=f"{family.name}-{task.name}")
    for family in CATALOG.backbones()
    for task in CATALOG.tasks()
    if family.modality in task.modalities
    and (task.samples is not None or not set(task.columns) - {"label"})
]


def freeze(run: Run, blocks: int) -> int:
    """Let what stands before so many blocks' end rest; how many blocks that are to
    `Plan.frozen`."""
    plan = Plan.start(run.graft).change(
        lambda block, name, rule: replace(rule, learns=block >= blocks)
    )
    plan.activate(0.0)
    return plan.frozen(0.0)


@pytest.mark.parametrize(("precision", "threads"), [("fp32", 1), ("bf16", 1), ("bf16", 2)])
@pytest.mark.parametrize(("family", "task"), PAIRS)
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
