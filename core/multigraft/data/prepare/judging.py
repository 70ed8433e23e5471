"""Judging a block: each row goes through the steps of a pass, until one drops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.contracts.filters import Dropped, Judge
from multigraft.contracts.formats import Chunk
from multigraft.contracts.readers import row_errors
from multigraft.data.prepare.plan import Pass, Step
from multigraft.data.prepare.tally import Example, Tally, draw, kind_of, shown
from multigraft.data.sources.arrow_cache import record_batch
from multigraft.data.sources.cells import column
from multigraft.data.sources.columns import Coded
from multigraft.data.sources.marks import form_of
from multigraft.errors import RowError

READ = -1
"""The number of the step that is none: rows that cannot be read."""
SKETCHED = 64
"""Values that are sketched at a time: what a sketch computes with then stays in the processor's
cache."""
EMPTY = "the column is empty, or there is none"


@dataclass(frozen=True)
class Judged:
    """What is left of a block."""

    batch: pa.RecordBatch
    rows: np.ndarray
    """[rows left] int64: each one's place in the source."""
    tallies: dict[int, Tally]
    """By the number of the step."""
    keys: np.ndarray | None
    """[rows left, values]: the sketches by which duplicates are found."""


@dataclass(frozen=True)
class _Opened:
    """A step with its function."""

    step: Step
    judge: Judge
    opened: Callable[[Any], Any] | None


@dataclass(frozen=True)
class OpenPass:
    """A pass with the functions of its steps, which may hold a model: opened once a process."""

    given: Pass
    steps: tuple[_Opened, ...]


def open_pass(given: Pass) -> OpenPass:
    """Build the functions of a pass."""
    steps = (_Opened(step, step.judge(), step.filter.opened) for step in given.steps)
    return OpenPass(given, tuple(steps))


def judge_block(
    opened: OpenPass,
    batch: pa.RecordBatch,
    rows: np.ndarray,
    *,
    bad: Mapping[int, str] | None = None,
    folder: str | None = None,
    examples: int = 0,
) -> Judged:
    """Go through the steps of a pass with the rows of a block, and sketch those that are left."""
    given, steps = opened.given, opened.steps
    columns = {name: raw_cells(batch, name) for name in given.columns}
    tallies = {step.number: Tally() for step in given.steps}
    if given.number == 0:
        tallies[READ] = Tally(seen=len(rows))
    judged = _Rows(steps, columns, tallies, rows, bad or {}, folder, examples)
    kept = [place for place in range(len(rows)) if judged.keeps(place)]
    cells = {name: [columns[name][at] for at in kept] for name in given.columns}
    left = _mended(batch.take(pa.array(kept, pa.int64())), cells, judged.changed)
    keys = None
    if given.duplicates is not None:
        keys = _keys(given.duplicates, columns[given.duplicates.column], kept, folder)
    return Judged(left, rows[kept], tallies, keys)


@dataclass
class _Rows:
    """The rows of a block on their way through the steps."""

    steps: Sequence[_Opened]
    columns: dict[str, list[Any]]
    tallies: dict[int, Tally]
    rows: np.ndarray
    bad: Mapping[int, str]
    folder: str | None
    examples: int

    def __post_init__(self) -> None:
        self.changed: set[str] = set()
        self.of_files = {s.step.number for s in self.steps if s.step.modality.suffixes}

    def keeps(self, place: int) -> bool:
        """Whether a row gets through all steps; what they mend of it is in the columns then."""
        if (why := self._unread(place)) is not None:
            self._drop(READ, place, "", Dropped(kind_of(why), why))
            return False
        opened: dict[Any, Any] = {}
        for each in self.steps:
            column = self.columns[each.step.column]
            tally = self.tallies[each.step.number]
            tally.seen += 1
            before = column[place]
            after = self._judged(each, before, opened)
            if isinstance(after, Dropped):
                self._drop(each.step.number, place, before, after)
                return False
            if each.opened is None and after != before:
                column[place] = after
                self.changed.add(each.step.column)
                tally.mended += 1
                self._show(each.step.number, "mended", place, before, shown(after))
        return True

    def _unread(self, place: int) -> str | None:
        if place in self.bad:
            return self.bad[place]
        first = self.tallies.get(READ)
        if first is None:
            return None
        empty = [name for name, cells in self.columns.items() if _is_empty(cells[place])]
        return f"column {empty[0]!r}: {EMPTY}" if empty else None

    def _judged(self, each: _Opened, value: Any, opened: dict[Any, Any]) -> Any:
        if each.opened is None:
            return each.judge(value)
        key = each.step.column, each.opened
        try:
            if key not in opened:
                with row_errors():
                    opened[key] = each.opened(whole_name(value, self.folder))
            return each.judge(opened[key])
        except RowError as error:
            return Dropped(kind_of(str(error)), str(error))

    def _drop(self, number: int, place: int, value: Any, dropped: Dropped) -> None:
        self.tallies[number].drop(dropped.why)
        self._show(number, "dropped", place, value, dropped.told or dropped.why)

    def _show(self, number: int, kind: str, place: int, value: Any, told: str) -> None:
        row = int(self.rows[place])
        if self.examples:
            file = file_of(value, self.folder if number in self.of_files else None)
            example = Example(row, shown(value), told, draw(number, row), file)
            self.tallies[number].show(kind, example, self.examples)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def whole_name(value: Any, folder: str | None) -> Any:
    """A raw value as a reader takes it: a relative name of a file from the root. Raises RowError
    for one that leads out of the data's folder."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:  # how `datasets` stores media
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if folder is None or not isinstance(value, str):
        return value
    path = Path(value)
    if not path.is_absolute() and ".." in path.parts:
        raise RowError("its name leaves the data's folder")
    return str(Path(folder) / path)


def file_of(value: Any, folder: str | None) -> str:
    """The whole name of the file that a raw value names; empty for any other value, and where the
    name leads out of the data's folder. ``folder`` is None for values that are no files."""
    try:
        name = None if folder is None else whole_name(value, folder)
    except RowError:
        return ""
    return name if isinstance(name, str) else ""


def raw_cells(batch: pa.RecordBatch, name: str) -> list[Any]:
    """A column's values as they were given; of a column that is not there, nothing."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    values = batch.column(name)
    form = form_of(batch.schema.field(name))
    cells: list[Any] = values.to_pylist()
    if form is None:
        return cells
    coded = Coded(values, form)
    return [coded.decoded(each) for each in cells]


def _mended(batch: pa.RecordBatch, columns: Mapping[str, list[Any]], changed: set[str]) -> Any:
    """The batch with the columns that steps changed, and those of which texts alone are left."""
    for name in columns:
        at = batch.schema.get_field_index(name)
        if at < 0 or not (name in changed or _holds_texts(batch.schema.field(at), columns[name])):
            continue
        mended = record_batch(Chunk({name: column(columns[name], name, {})}, batch.num_rows))
        batch = batch.set_column(at, mended.schema.field(0), mended.column(0))
    return batch


def _holds_texts(field: pa.Field, cells: Sequence[Any]) -> bool:
    """Whether a column that is JSON, for what else was in it, need not be so any more."""
    return form_of(field) == "json" and all(cell is None or isinstance(cell, str) for cell in cells)


def _keys(step: Step, cells: Sequence[Any], kept: Sequence[int], folder: str | None) -> np.ndarray:
    values = []
    for place in kept:
        try:
            values.append(whole_name(cells[place], folder))
        except RowError:
            values.append(None)
    sketch = step.likeness().sketch
    parts = [
        sketch(values[at : at + SKETCHED])[0] for at in range(0, max(1, len(values)), SKETCHED)
    ]
    return np.ascontiguousarray(np.concatenate(parts))
