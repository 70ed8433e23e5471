"""What is kept of each row from a bundle's outputs and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.row_objectives import KeptOfRow
from multigraft.contracts.types import Answer, Arrays
from multigraft.data import Rows
from multigraft.evaluation.answer_scores import (
    AnswerKeeper,
    RowMetrics,
    joined,
    read_values,
    score_rows,
    stacked,
    written_rows,
)
from multigraft.evaluation.bundle.bundle_task import BundleTask
from multigraft.runtime.flipping import FLIP
from multigraft.runtime.length_batches import READ_AHEAD, READ_BYTES
from multigraft.runtime.read_value import ReadValue

WRITTEN = 64
"""Rows whose texts are written together."""


@dataclass(frozen=True)
class _Row:
    """A row on its way to its answer."""

    number: int
    arrays: Arrays
    """The reader's and the targets."""
    value: ReadValue
    further: Sequence[Arrays]

    @property
    def size(self) -> int:
        return self.value.size + sum(array.nbytes for row in self.further for array in row.values())


def measure_rows(
    task: BundleTask,
    rows: Rows,
    *,
    keep: AnswerKeeper | None = None,
    display: Display = UNSEEN,
) -> RowMetrics:
    """What is kept of each of ``rows`` for its metrics, in their order, as
    `evaluation.measure.measure_split` keeps it of a run's. ``keep`` is given the answers."""
    measurer = _Measurer(task, rows, keep)
    parts = []
    for numbers, kept in measurer.parts():
        parts.append(kept)
        display.advance(len(numbers))
    return task.metrics.together(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )


@dataclass(frozen=True)
class _Measurer:
    task: BundleTask
    rows: Rows
    keep: AnswerKeeper | None

    def parts(self) -> Iterator[tuple[np.ndarray, RowMetrics]]:
        """Some rows at a time: their numbers, and what is kept of them."""
        if self.task.metrics.writer is not None:
            for start in range(0, len(self.rows), WRITTEN):
                numbers = np.arange(start, min(start + WRITTEN, len(self.rows)))
                yield numbers, self._written(numbers)
            return
        for group in self._read():
            yield np.array([row.number for row in group]), self._measured(group)

    def _read(self) -> Iterator[list[_Row]]:
        """Rows in order, in lists that are bounded in number and bytes."""
        held: list[_Row] = []
        size = 0
        for number in range(len(self.rows)):
            row = self._row(number)
            held.append(row)
            size += row.size
            if len(held) == READ_AHEAD or size > READ_BYTES:
                yield held
                held, size = [], 0
        if held:
            yield held

    def _row(self, number: int) -> _Row:
        arrays, maker = self.rows[number], self._maker
        (value,) = read_values(maker, self.rows, np.array([number]), self.task.asked)
        return _Row(number, arrays, value, self.task.metrics.objective.further_rows(arrays))

    @property
    def _maker(self) -> Answers:
        return self.task.predictor.maker

    def _measured(self, group: Sequence[_Row]) -> RowMetrics:
        predictor = self.task.predictor
        # apart: a further row may lack arrays that no graph takes
        own = iter(predictor.row_outputs([each for row in group for each in row.value.rows]))
        further = iter(predictor.row_outputs([each for row in group for each in row.further]))
        kept, answered = [], []
        for row in group:
            views = list(islice(own, len(row.value.rows)))
            others = list(islice(further, len(row.further)))
            if self.keep is not None or self.task.metrics.answers is not None:
                windows = [
                    Window(each, one, predictor.reader.length(each))
                    for each, one in zip(row.value.rows, views, strict=True)
                ]
                answered.append(predictor.answer(row.value, windows))
            outputs = [self._own(row.value, views), *others]
            kept.append(self.task.metrics.objective.keep(outputs, row.arrays))
        return self._with_scores(np.array([row.number for row in group]), kept, answered)

    def _own(self, value: ReadValue, views: Sequence[Arrays]) -> Arrays:
        """A row's outputs: of the value and its mirror image the mean of what answers average."""
        if not value.asked.get(FLIP):
            return views[0]
        return {name: np.mean([view[name] for view in views], axis=0) for name in self._maker.flips}

    def _written(self, numbers: np.ndarray) -> RowMetrics:
        writer, objective = self.task.metrics.writer, self.task.metrics.objective
        assert writer is not None
        answered = written_rows(writer, self.rows, numbers)
        kept = [objective.keep((), self.rows[number]) for number in numbers.tolist()]
        return self._with_scores(numbers, kept, answered)

    def _with_scores(
        self, numbers: np.ndarray, kept: Sequence[KeptOfRow], answered: Sequence[Answer]
    ) -> RowMetrics:
        found = {
            name: array
            for name, array in stacked(kept, "keep").items()
            if name not in self.task.left
        }
        if self.keep is not None:
            self.keep.take(numbers, answered)
        if (answers := self.task.metrics.answers) is None:
            return found
        return joined(found, score_rows(answers, self.rows, numbers, answered))
