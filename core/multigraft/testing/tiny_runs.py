"""Tiny trainings of a plugin's records through the engine itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.records import Backbone, Modality, Task
from multigraft.engine import Engine
from multigraft.models.tasks import classification_task
from multigraft.runs.run import Run
from multigraft.testing.workbench import Bench, full_name

ROWS = 24
TRAINING: Mapping[str, Any] = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "precision": "fp32",
    "compile": "off",
    "workers": 0,
    "log_every": 1,
}


@dataclass(frozen=True)
class TrialTasks:
    """A plugin with a task for each modality, one of two labels a row, to try backbones by."""

    modalities: tuple[str, ...]

    @mg.hookimpl
    def register_tasks(self) -> list[Task]:
        """One classification for each modality."""
        return [trial_task(name) for name in self.modalities]


def trial_task(modality: str) -> Task:
    """The classification of a modality that backbones are tried with."""
    return classification_task(f"{modality}-trial-classification", modality)


def engine_of(bench: Bench, plugins: Sequence[object] | None = None) -> Engine:
    """An engine with the bench's plugins, or others; what an observer raises ends its runs."""
    names = tuple(modality.name for modality in bench.catalog.modalities())
    chosen = bench.plugins if plugins is None else plugins
    return Engine([*chosen, TrialTasks(names)], discover=False, strict=True)


Families = Mapping[str, Backbone]
"""A backbone for each branch; one alone under ``""``."""


def recipe_of(
    bench: Bench, task: Task, families: Backbone | Families, folder: Path, **fields: Any
) -> dict[str, Any]:
    """A recipe of few rows and steps; ``fields`` add to it, those of ``training`` one by one."""
    chosen = families if isinstance(families, Mapping) else {"": families}
    backbones = {
        branch: {"name": full_name(each), "weights": "scratch"} for branch, each in chosen.items()
    }
    readers = {
        branch: {} if each.trial is None else dict(each.trial.reader)
        for branch, each in chosen.items()
    }
    training = {**TRAINING, **fields.pop("training", {})}
    return {
        "task": task.name,
        "backbone": backbones.get("", backbones),
        "reader": readers.get("", readers),
        "data": {
            "train": str(table_of(bench, task, chosen)),
            "split": {"validation": 0.25, "test": 0},
            "leakage": {"near": False, "allowed": 1},
        },
        "training": training,
        "evaluation": {"split": "validation", "bootstrap": 4, "worst": 2},
        "export": {"precisions": ["fp32"], "repair": 0},
        "output": str(folder),
        **fields,
    }


def values_of(bench: Bench, task: Task, families: Families, count: int) -> list[Any]:
    """Made-up values for a task: of several branches a mapping with each one's, of a task whose
    samples have further raw columns a tuple. Raises Skipped."""
    raws = _raws(bench, read_of(bench, task, families))
    if "" not in families:
        return raws[:count]
    further = bench.modality_of(families[""]).columns[1:] if task.samples is not None else ()
    cells = _cells(task, raws) if further else {}
    columns = [cells[name] for name in further if name in cells]
    return list(zip(raws, *columns, strict=True))[:count] if columns else raws[:count]


def read_of(bench: Bench, task: Task, families: Families) -> Families:
    """The backbones whose branches are read: all, unless one of them writes about the others."""
    if not task.describes:
        return families
    return {branch: each for branch, each in families.items() if not bench.modality_of(each).writes}


def _raws(bench: Bench, families: Families) -> list[Any]:
    """Values of the first raw column, or of every branch's."""
    made = {branch: bench.raws(bench.modality_of(each), ROWS) for branch, each in families.items()}
    if "" in made:
        return made[""]
    return [dict(zip(made, values, strict=True)) for values in zip(*made.values(), strict=True)]


def table_of(bench: Bench, task: Task, families: Families) -> Path:
    """Made-up rows of a task in a file. Raises Skipped where a modality has no samples."""
    read = read_of(bench, task, families)
    modalities = {branch: bench.modality_of(each) for branch, each in read.items()}
    names = "-".join(each.name for each in modalities.values())
    path = bench.room("rows") / f"{task.name}-{names}.jsonl"
    if not path.exists():
        raws = _raws(bench, read)
        cells = _cells(task, raws)
        lines = [
            {**_raw(modalities, raw), **{name: cells[name][index] for name in cells}}
            for index, raw in enumerate(raws)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _cells(task: Task, raws: list[Any]) -> Mapping[str, Any]:
    if task.samples is not None:
        return task.samples(np.random.default_rng(1), raws)
    return {
        name: ["first" if index % 2 else "second" for index in range(len(raws))]
        for name in task.columns
    }


def _raw(modalities: Mapping[str, Modality], raw: Any) -> dict[str, Any]:
    """A value by the columns that hold it."""
    row: dict[str, Any] = {}
    for branch, modality in modalities.items():
        own = raw[branch] if branch else raw
        columns = modality.columns_as(branch) if branch else modality.columns
        row |= zip(columns, own if isinstance(own, tuple) else (own,), strict=False)
    return row


def assembled(bench: Bench, task: Task, families: Backbone | Families) -> Run:
    """A run that is complete and untrained."""
    chosen = families if isinstance(families, Mapping) else {"": families}
    names = "-".join(each.name for each in chosen.values())
    return bench.once(
        ("assembled", task.name, names), lambda: _assembled(bench, task, chosen, names)
    )


def _assembled(bench: Bench, task: Task, families: Families, names: str) -> Run:
    from multigraft.recipe.resolve import read_recipe
    from multigraft.runs.assembly import assemble

    engine = engine_of(bench)
    folder = bench.folder / f"assembled-{task.name}-{names}"
    resolved = read_recipe(recipe_of(bench, task, families, folder), engine.catalog)
    folder.mkdir()
    return assemble(resolved, engine.catalog, folder, dispatch=engine.call)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Capture what the engine logs meanwhile, and keep it from the screen."""
    messages: list[str] = []
    logger, handler = logging.getLogger("multigraft"), logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
