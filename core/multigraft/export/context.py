"""Export context: what an export needs of a run, and the rows it is checked on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate, read_row
from multigraft.contracts.types import Arrays, Spec
from multigraft.data import Rows
from multigraft.models.graft import Graft
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe
from multigraft.recipe.resolve import ResolvedRecipe


class Subject(Protocol):
    """A trained run, as far as an export looks at it."""

    @property
    def folder(self) -> Path: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def resolved(self) -> ResolvedRecipe: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def reader(self) -> Reader: ...
    @property
    def targets(self) -> Spec: ...
    @property
    def objective(self) -> Objective: ...
    @property
    def graft(self) -> Graft: ...
    @property
    def rows(self) -> Mapping[str, Rows]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


def held_out(run: Subject) -> str | None:
    """The split that evaluation uses, else the nearest there is; None where no row is held out."""
    for split in (run.recipe.evaluation.split, "test", "validation"):
        if split in run.rows and len(run.rows[split]):
            return split
    return None


def batch_size(run: Subject) -> int:
    """Rows that evaluation puts in a batch."""
    return run.recipe.evaluation.batch_size or run.recipe.training.batch_size


def read(run: Subject, rows: Rows, indices: Sequence[int]) -> list[Arrays]:
    """Some rows as the reader alone gives them: what a deployed graph is fed."""
    return [read_row(run.reader, rows.raw(index)) for index in indices]


def spread(rows: Rows, count: int) -> list[int]:
    """At most ``count`` rows from the shortest to the longest, evenly."""
    order = np.argsort(rows.lengths, kind="stable")
    steps = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [int(order[round(step)]) for step in steps]


def calibration(run: Subject, *, size: int = 8) -> Iterator[Arrays]:
    """Batches of training rows for calibration, drawn with the seed and read as needed."""
    rows = run.rows["train"]
    rng = np.random.default_rng(run.recipe.seed)
    chosen = rng.permutation(len(rows))[: run.recipe.export.calibration]
    chosen = chosen[np.argsort(rows.lengths[chosen], kind="stable")]
    for start in range(0, len(chosen), size):
        batch = read(run, rows, chosen[start : start + size].tolist())
        yield collate(batch, run.reader.fills)
