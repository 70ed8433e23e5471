"""Rows without names of columns: which of them a task's raw value and its label are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multigraft.contracts.records import Modality, Task
from multigraft.data.sources.containers import Shape


def shape_of(modality: Modality, task: Task, columns: Mapping[str, str | Sequence[str]]) -> Shape:
    """How rows without names of columns are called, as a recipe's names of columns say."""
    raw = modality.required[0]
    label = next(iter(task.columns), None)
    return Shape(
        _called(columns, raw),
        None if label is None else _called(columns, label),
        media=bool(modality.suffixes),
    )


def _called(columns: Mapping[str, str | Sequence[str]], ours: str) -> str:
    """What one column of ours is called; ours, where several make it up."""
    theirs = columns.get(ours, ours)
    return theirs if isinstance(theirs, str) else ours
