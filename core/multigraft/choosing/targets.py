"""Targets of a sample: what each row is of a task whose fit to frozen features can be scored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from multigraft.contracts.records import Task
from multigraft.data import Rows
from multigraft.errors import RecipeError

Kind = Literal["labels", "label sets", "numbers"]
KINDS: dict[str, tuple[Kind, str]] = {
    "classification": ("labels", "label"),
    "multilabel": ("label sets", "held"),
    "regression": ("numbers", "wanted"),
}
"""By what makes answers (`Task.answers`): what a row is, and the array in which its objective says
so."""


@dataclass(frozen=True)
class Targets:
    """What the rows of a sample are."""

    kind: Kind
    values: np.ndarray
    """Labels [rows] from 0 on, labels that a row has [rows, labels], or standardised numbers [rows,
    numbers]."""

    @property
    def columns(self) -> np.ndarray:
        """[rows, columns]: one-hot labels, 1 for a label that a row has, or the numbers."""
        if self.kind == "labels":
            found: np.ndarray = np.eye(int(self.values.max()) + 1)[self.values]
            return found
        return self.values.astype(np.float64)

    def of(self, rows: np.ndarray) -> Targets:
        """Those of some rows."""
        return Targets(self.kind, self.values[rows])


def check_scored(task: Task, tasks: Iterable[Task]) -> None:
    """Raise RecipeError for a task without one label, set of labels or number a row; ``tasks`` are
    those that could be named."""
    if task.stage == "finetune" and task.answers in KINDS:
        return
    fit = ", ".join(sorted(each.name for each in tasks if each.answers in KINDS))
    why = (
        "it learns without labels"
        if task.stage == "pretrain"
        else "its targets are no label, set of labels or number a row, which LogME, H-score, "
        "neighbours and probes compare features with"
    )
    raise RecipeError([f"task: {task.name!r} cannot be chosen for: {why}; allowed: {fit}"])


def targets_of(rows: Rows, task: Task) -> Targets:
    """The targets of rows, as the task's objective encodes them. Raises RecipeError."""
    kind, name = KINDS[str(task.answers)]
    names: Collection[str] = (name,)
    found = [rows.fetch(index, names).get(name) for index in range(len(rows))]
    if any(each is None for each in found):
        raise RecipeError(
            [f"task: {task.name!r} encodes no {name!r}, by which its rows could be scored"]
        )
    return Targets(kind, np.stack([np.asarray(each) for each in found]))
