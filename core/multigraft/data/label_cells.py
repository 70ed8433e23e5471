"""Label cells: a column whose cells may hold several labels, as lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from multigraft.contracts.readers import row_errors
from multigraft.contracts.records import Task
from multigraft.errors import RowError

LabelsIn = Callable[[Any], Sequence[str]]
"""The labels in one cell. Raises RowError."""
Labels = tuple[str, ...]


def labels_in(task: Task, options: Mapping[str, Any]) -> LabelsIn | None:
    """How a task reads several labels of a cell; None where a cell is one."""
    read = task.labels_in
    return None if read is None else lambda cell: read(cell, options)


def label_lists(cells: Iterable[Any], read: LabelsIn) -> list[Labels | None]:
    """The labels of each cell; None for a cell that cannot be used, which the audit names."""
    return [_labels(cell, read) for cell in cells]


def _labels(cell: Any, read: LabelsIn) -> Labels | None:
    try:
        with row_errors():
            return tuple(read(cell))
    except RowError:
        return None
