"""Checks of a plugin that watches trainings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from multigraft.contracts.records import Backbone
from multigraft.plugins.rules import MOMENTS
from multigraft.runs.run import Run
from multigraft.testing.checks import Skipped
from multigraft.testing.tiny_runs import engine_of, heard, recipe_of, trial_task
from multigraft.testing.workbench import Bench, Subject


def watches(subject: Subject) -> Iterator[str]:
    """A tiny training with the plugin ends as one without it, and its observers do not raise."""
    bench: Bench = subject.bench
    if not set(MOMENTS) & set(bench.info.hooks):
        raise Skipped("it watches no training")
    family = _foreign(bench)
    watched, alone = (
        _train(bench, family, plugins, name)
        for plugins, name in ((bench.plugins, "watched"), (bench.plugins[:-1], "alone"))
    )
    ours, theirs = watched.graft.state_dict(), alone.graft.state_dict()
    far = [name for name in theirs if name not in ours or not torch.equal(ours[name], theirs[name])]
    if far and watched.stop is None:
        yield f"a training that it watches ends with other weights, as {far[0]!r}"


def _foreign(bench: Bench) -> Backbone:
    """A backbone of another plugin. Raises Skipped where there is none."""
    own = bench.records("backbone")
    found = next((family for family in bench.families() if family not in own), None)
    if found is None:
        raise Skipped("no other plugin brings a backbone to train")
    return found


def _train(bench: Bench, family: Backbone, plugins: Sequence[object], name: str) -> Run:
    recipe = recipe_of(bench, trial_task(family.modality), family, bench.folder / name)
    with heard():
        return engine_of(bench, plugins).start(recipe, "finetune")
