"""Checks of a task: its targets, measures and resuming."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

import multigraft as mg
from multigraft.contracts.frames import moved
from multigraft.contracts.records import Backbone, Task
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft.runs.run import Run
from multigraft.runtime import Predictor
from multigraft.testing.arrays import copied, gap
from multigraft.testing.check_learning import BATCH, batch_of
from multigraft.testing.checks import Skipped
from multigraft.testing.tiny_runs import (
    Families,
    assembled,
    engine_of,
    heard,
    recipe_of,
    values_of,
)
from multigraft.testing.workbench import Bench, Subject

SHARES = ("accuracy", "precision", "recall", "f1", "auroc", "calibration")
"""Metrics whose names begin so lie between 0 and 1."""


def losses(subject: Subject) -> Iterator[str]:
    """Check that each row has a finite loss sum and weight, which reach every head parameter."""
    run = untrained(subject)
    graft, batch = run.graft.train(), batch_of(run)
    graft.zero_grad(set_to_none=True)
    rows = BATCH
    loss = run.objective.loss(graft(batch), batch)
    for name, found in (("total", loss.total), ("weight", loss.weight)):
        if found.ndim != 1 or len(found) != rows:
            yield f"{name} has the shape {list(found.shape)} for {rows} rows; [{rows}] is needed"
        elif not torch.isfinite(found).all():
            yield f"{name} holds numbers that are not finite"
    if not loss.total.requires_grad:
        yield "total carries no gradient"
        return
    if loss.weight.requires_grad:
        yield "weight carries a gradient; detach it"
    loss.mean().backward()
    missing = [name for name, parameter in graft.head.named_parameters() if parameter.grad is None]
    if missing:
        yield f"no gradient reaches {missing[0]!r} of the head"


def chance(subject: Subject) -> Iterator[str]:
    """Check that view and prepare draw from their generator alone and change nothing given."""
    run = untrained(subject)
    objective = run.objective
    row = plain_row(run, 0)
    kept = copied(row)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]
    for name, change in (
        ("view", lambda rng: objective.view(copied(row), rng)),
        ("prepare", lambda rng: objective.prepare(_batch(run), rng)),
    ):
        one, other = (change(np.random.default_rng(3)) for _ in range(2))
        if found := gap(one, other):
            yield f"{name} gives something else for the same generator: {found}"
    objective.view(row, np.random.default_rng(4))
    if found := gap(kept, row):
        yield f"view writes into the row that it was given: {found}"
    after = np.random.get_state()[1], torch.get_rng_state()  # type: ignore[index]
    if not (before[0] == after[0]).all() or not torch.equal(before[1], after[1]):
        yield "it draws from the process's own random numbers instead of rng"


def _batch(run: Run) -> dict[str, np.ndarray]:
    from multigraft.contracts.readers import collate

    fills = {**run.reader.fills, **run.objective.fills}
    views = [run.objective.view(plain_row(run, i), np.random.default_rng(i)) for i in range(4)]
    return collate(views, fills)


def plain_row(run: Run, index: int) -> Arrays:
    """A training row as a batch takes it without augmentation, its targets in the input's
    pixels."""
    row = run.rows["train"].fetch(index, None)
    return moved(row, run.objective.moves, run.objective.fills)


def trains(subject: Subject) -> Iterator[str]:
    """Check that two epochs and an evaluation give finite numbers, the monitored one included."""
    run = trained(subject)
    report = run.evaluate()
    metrics = {name: measure.value for name, measure in report.metrics.items()}
    every = [entry["metrics"] for entry in run.history]
    if not every:
        yield "no epoch was validated"
    for found in (*every, metrics):
        yield from sensible(found)
    if run.objective.monitor not in (every[0] if every else metrics):
        yield (
            f"monitor is {run.objective.monitor!r}, and summarise gives "
            f"{', '.join(sorted(metrics))}"
        )
    try:
        json.dumps(run.targets, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"targets gave what is no JSON: {error}"


def sensible(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Say which of a report's numbers are none, or beyond their range."""
    for name, value in metrics.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            yield f"the metric {name!r} is {value!r}; a finite number is needed"
        elif name.startswith(SHARES) and not 0 <= value <= 1:
            yield f"the metric {name!r} is {value:g}; it lies between 0 and 1"


def resumes(subject: Subject) -> Iterator[str]:
    """A run that is interrupted ends with the bits of the one that was not."""
    whole = trained(subject)
    folder = subject.bench.folder / f"resumed-{subject.record.name}"
    recipe = _recipe(subject, folder)
    watching = [*subject.bench.plugins, _Interrupts(3)]
    with heard():
        try:
            engine_of(subject.bench, watching).start(recipe, subject.record.stage)
        except KeyboardInterrupt:
            pass
        else:
            raise Skipped("it was over before it could be interrupted")
        resumed = engine_of(subject.bench).resume(folder)
    ours, theirs = (run.graft.state_dict() for run in (resumed, whole))
    far = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    if far:
        yield f"the resumed run ends with other weights, as {far[0]!r}"
    if resumed.metrics_file.read_bytes() != whole.metrics_file.read_bytes():
        yield "the resumed run's metrics.jsonl differs"


class _Interrupts:
    """An observer that interrupts at a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        """Interrupt once."""
        if step == self.step:
            raise KeyboardInterrupt


def predictor_of(subject: Subject) -> Predictor:
    """The record's own bundle, exported once for all checks and opened."""
    return subject.bench.once(("predictor", subject.record.name), lambda: _exported(subject))


def _exported(subject: Subject) -> Predictor:
    run = trained(subject)
    with heard():
        bundle = Path(run.export().files["bundle"])
    return mg.load(bundle, catalog=run.catalog)


def raws_of(subject: Subject, count: int) -> list[Any]:
    """Made-up values of what the record is tried on."""
    return values_of(subject.bench, subject.record, _families(subject), count)


def _families(subject: Subject) -> Families:
    """The backbone that the record is tried with, or two where it takes several."""
    task: Task = subject.record
    fitting = [
        family
        for family in subject.bench.families()
        if not task.modalities or family.modality in task.modalities
    ]
    if not fitting:
        raise Skipped(f"no backbone reads {' or '.join(task.modalities)}")
    alone: list[Families] = [{"": each} for each in fitting]
    tried = alone
    if task.describes:
        tried = _described(subject.bench, fitting)
    elif task.several:
        tried = _pairs(subject.bench, fitting)
    found: Families = subject.bench.once(
        ("fitting", task.name), lambda: _fitting(subject.bench, task, tried)
    )
    return found


def _pairs(bench: Bench, families: list[Backbone]) -> list[Families]:
    """Two backbones side by side, of two modalities where there are as many."""
    by_column: dict[str, Backbone] = {}
    for family in families:
        by_column.setdefault(bench.modality_of(family).columns[0], family)
    if len(by_column) == 1:
        (family,) = by_column.values()
        return [{"first": family, "second": family}]
    return [dict(pair) for pair in combinations(by_column.items(), 2)]


def _described(bench: Bench, families: list[Backbone]) -> list[Families]:
    """A backbone that is read beside one that may write, for each of both. Raises Skipped."""
    writers = [each for each in families if bench.modality_of(each).writes]
    read = [each for each in families if not bench.modality_of(each).writes]
    if not (writers and read):
        raise Skipped("no backbone writes, or none reads what is to be written about")
    return [
        {bench.modality_of(each).columns[0]: each for each in (one, writer)}
        for writer in writers
        for one in read
    ]


def _fitting(bench: Bench, task: Task, tried: list[Families]) -> Families:
    """The first backbones that the task takes; if none, raises what it says of the first."""
    said: MultigraftError | None = None
    for families in tried:
        try:
            assembled(bench, task, families)
        except MultigraftError as error:
            said = said or error
        else:
            return families
    raise said or Skipped("there is no backbone")


def _recipe(subject: Subject, folder: Path) -> dict[str, Any]:
    return recipe_of(
        subject.bench, subject.record, _families(subject), folder, training={"checkpoint_every": 2}
    )


def untrained(subject: Subject) -> Run:
    return assembled(subject.bench, subject.record, _families(subject))


def trained(subject: Subject) -> Run:
    """The record's own run, trained once for all checks."""
    return subject.bench.once(("trained", subject.record.name), lambda: _train(subject))


def _train(subject: Subject) -> Run:
    folder = subject.bench.folder / f"trained-{subject.record.name}"
    with heard():
        return engine_of(subject.bench).start(_recipe(subject, folder), subject.record.stage)
