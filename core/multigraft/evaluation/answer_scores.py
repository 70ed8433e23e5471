"""Metrics of answers: rows are answered as a bundle answers them, and each answer is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np

from multigraft.contracts.answers import Answers, Window, scores
from multigraft.contracts.options import defaults
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Task
from multigraft.contracts.row_objectives import RowObjective
from multigraft.contracts.types import Answer, Arrays, Spec
from multigraft.data import Rows
from multigraft.errors import PluginError
from multigraft.runtime.answers import make_answers
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.read_value import ReadValue, in_views

V = TypeVar("V")
Half = TypeVar("Half", bound=RowObjective)
Half_co = TypeVar("Half_co", bound=RowObjective, covariant=True)
"""An objective, or of a bundle the half of it that needs no torch."""
RowMetrics = dict[str, np.ndarray]
"""What is kept of each row, for all rows: arrays [N, ...]."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
"""What is asked of answers where nobody asks for anything."""
Serve = Callable[[Arrays], Arrays]
"""A batch of a reader's arrays -> what a graph serves for it."""


@dataclass(frozen=True)
class Metrics(Generic[Half_co]):
    """What a task is measured by: its objective and, where they have scores, its answers."""

    objective: Half_co
    answers: Answers | None
    writer: Generator | None = None
    """What writes the answers, where they are texts; None: they are made of a graph's outputs."""

    @property
    def by_loss(self) -> Metrics[Half_co]:
        """Those that need no text to be written: what a validation measures meanwhile."""
        return self if self.writer is None else Metrics(self.objective, None)

    def together(self, kept: RowMetrics) -> RowMetrics:
        """What is kept, with what follows from all rows at once; before any resample."""
        if self.answers is None:
            return kept
        rows = {len(array) for array in kept.values()}
        found = {**kept, **self.answers.together(kept)}
        if odd := [name for name, array in found.items() if {len(array)} != rows]:
            raise PluginError(
                f"together gives {odd[0]!r} for {len(found[odd[0]])} rows of {min(rows)}; it keeps "
                "a number or an array for each"
            )
        return found

    def right(self, kept: RowMetrics, details: Mapping[str, Any]) -> np.ndarray | None:
        """Which rows are answered right, [rows] bool, by the answers or else by the objective's
        details; None where neither says so."""
        said = details.get("correct") if self.answers is None else self.answers.right(kept)
        return None if said is None else np.asarray(said, dtype=bool)

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The metrics of the rows in ``kept``, the objective's and the answers'."""
        found = self.objective.summarise(kept)
        return found if self.answers is None else joined(found, self.answers.summarise(kept))


@dataclass(frozen=True)
class AnswerKeeper:
    """The answers to rows, as they are made in measuring them."""

    answers: Answers
    """What makes them; the metrics' own where those have some."""
    kept: dict[int, Answer] = field(default_factory=dict)
    """By row number."""

    def take(self, numbers: np.ndarray, answered: Sequence[Answer]) -> None:
        """Keep the answers to these rows."""
        self.kept.update(zip(numbers.tolist(), answered, strict=True))


def metrics_of(task: Task, targets: Spec, objective: Half) -> Metrics[Half]:
    """What a task is measured by, bound to one run."""
    answers = None if task.answers is None else make_answers(task, targets)
    return Metrics(objective, answers if answers is not None and scores(answers) else None)


def read_values(
    answers: Answers, rows: Rows, numbers: np.ndarray, asked: Mapping[str, Any] = NOTHING
) -> list[ReadValue]:
    """These rows of a split as a bundle would be asked for them; ``asked`` wins over defaults."""
    whole = {**defaults(answers.asks), **asked}
    values = (
        ReadValue(
            rows.raw(number),
            rows.windows(number) if answers.windows else (rows.read(number),),
            whole,
        )
        for number in numbers.tolist()
    )
    return [in_views(value, answers, rows.reader) for value in values]


def written_rows(writer: Generator, rows: Rows, numbers: np.ndarray) -> list[Answer]:
    """The texts that are written for these rows, as a bundle writes them by default."""
    return writer.generate([rows.raw(number) for number in numbers.tolist()])


def answer_rows(
    answers: Answers, values: Sequence[ReadValue], reader: Reader, outputs: Arrays, serve: Serve
) -> list[Answer]:
    """The answers to values, from a batch of what a graph serves for their first windows; it is
    asked to ``serve`` the others, no more of them at a time than there are values."""
    further = [row for value in values for row in value.rows[1:]]
    batches = (further[at : at + len(values)] for at in range(0, len(further), len(values)))
    served = (
        one for batch in batches for one in _apart(serve(collate(batch, reader.fills)), len(batch))
    )
    found = []
    for value, first in zip(values, _apart(outputs, len(values)), strict=True):
        each = zip(value.rows, chain([first], islice(served, len(value.rows) - 1)), strict=True)
        windows = [Window(row, one, reader.length(row)) for row, one in each]
        found.append(answers.answer(value.raw, windows, value.asked))
    return found


def _apart(outputs: Arrays, rows: int) -> Iterator[Arrays]:
    """What is served for each row of a batch."""
    return ({name: array[row] for name, array in outputs.items()} for row in range(rows))


def score_rows(
    answers: Answers, rows: Rows, numbers: np.ndarray, answered: Sequence[Answer]
) -> RowMetrics:
    """The scores of the answers to these rows. Raises PluginError where their shapes differ."""
    each = [
        answers.score(answer, rows.target_row(number))
        for number, answer in zip(numbers.tolist(), answered, strict=True)
    ]
    return stacked(each, "score")


def stacked(rows: Sequence[Mapping[str, Any]], giver: str) -> RowMetrics:
    """What ``giver`` kept of each row, as arrays [rows, ...]. Raises PluginError where names or
    shapes differ."""
    try:
        return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    except (KeyError, ValueError) as error:
        raise PluginError(
            f"{giver} gives {_shapes(rows[0])} for one row and not for another ({error}); every "
            "row needs the same names, with arrays of one shape"
        ) from error


def joined(measured: Mapping[str, V], scored: Mapping[str, V]) -> dict[str, V]:
    """Both, under names of their own. Raises PluginError where a name stands for two things."""
    if twice := sorted(measured.keys() & scored.keys()):
        raise PluginError(
            f"objective and answers both give {twice[0]!r}; rename that of the answers"
        )
    return {**measured, **scored}


def _shapes(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {list(np.shape(value))}" for name, value in row.items())
