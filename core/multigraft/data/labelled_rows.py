"""The rows of a split that have a label, though the task does not ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.data.chosen_rows import ChosenRows
from multigraft.data.rows import Rows
from multigraft.models.tasks.shared import label_fault, label_name

LABEL = "label"


@dataclass(frozen=True)
class LabelledRows:
    """Rows and their labels; what reads the rows does not see these."""

    rows: ChosenRows
    labels: Sequence[str]


def labelled_rows(rows: Rows, *, most: int | None = None, seed: int = 0) -> LabelledRows | None:
    """Those of a split, at most so many, drawn with the seed; None where no row has a label."""
    cells = rows.column(LABEL) if LABEL in rows.columns else ()
    numbers = np.array([i for i, cell in enumerate(cells) if label_fault(cell) is None], np.int64)
    if not len(numbers):
        return None
    if most is not None and len(numbers) > most:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, most, replace=False))
    chosen = [label_name(cells[number]) for number in numbers.tolist()]
    return LabelledRows(ChosenRows(rows, numbers), chosen)
