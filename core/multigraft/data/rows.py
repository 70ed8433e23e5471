"""Rows that were read once and found good: what the loop draws its batches from."""

from __future__ import annotations

import inspect
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.frames import plane
from multigraft.contracts.reader import CountingReader, Reader, TellingReader
from multigraft.contracts.readers import (
    all_windows,
    excess_of,
    oddities_of,
    read_row,
    row_errors,
)
from multigraft.contracts.row_objectives import RowObjective
from multigraft.contracts.types import Arrays
from multigraft.data.arranging import arranged_rows, parted_rows
from multigraft.data.bad_rows import Problem, judge, refused, undecodable
from multigraft.data.cache.decoded_rows import DecodedRows, RowDecoder, frozen
from multigraft.data.sources.table import Table
from multigraft.data.targets import Targets
from multigraft.errors import DataError, PluginError, RowError

MEMORY = 2**28
NEARLY = 0.99
"""A row that was cut is as long as any before it, but for what resampling rounds."""


class Rows:
    """Good rows as the reader's arrays and the objective's targets; what is slow is decoded only
    once."""

    def __init__(
        self,
        table: Table,
        reader: Reader,
        objective: RowObjective,
        *,
        lengths: np.ndarray,
        kept: DecodedRows,
        targets: Targets,
        problems: Sequence[Problem],
        name: str,
        odd: Mapping[str, int] | None = None,
    ) -> None:
        """Use `Rows.audit`. ``kept`` and ``targets`` are what need not be read again, by row
        number."""
        self.table = table
        self.lengths = lengths
        """[rows] int64: each row's `Reader.length`."""
        self.problems = tuple(problems)
        self.odd = dict(odd or {})
        """What the reader tells of rows that can be read (`TellingReader`), and of how many."""
        self.name = name
        self.reader = reader
        self.objective = objective
        self._kept = kept
        self._targets = targets

    @classmethod
    def audit(
        cls,
        table: Table,
        reader: Reader,
        objective: RowObjective,
        *,
        allowed_bad: float,
        name: str,
        seed: int = 0,
        learned: bool = False,
        memory: int = MEMORY,
        hand_over: Callable[[Sequence[Problem]], object] | None = None,
    ) -> Rows:
        """Let the objective arrange the rows, then read each once; those that cannot be read are
        left out. Rows that are ``learned`` from may be several each (`Objective.parts`).

        ``name`` is the part's, for messages. At most about ``memory`` bytes of the reader's arrays
        are kept in memory; what is slow to decode, or more, goes to the cache (see `RowDecoder`),
        and is read again where that has no room. ``hand_over`` is given what was left out, where
        anything was. Raises DataError with places and reasons where a larger share than
        ``allowed_bad`` is bad, or no row is good.
        """
        _check_encode(objective)
        bad = table.content.bad
        known = [index for index in range(len(table)) if table.problem(index)] if bad else []
        problems = [undecodable(table, index) for index in known]
        decodable = table.select(np.delete(np.arange(len(table)), known)) if known else table
        arranged = arranged_rows(decodable, objective, seed, name)
        if len(decodable) and not len(arranged):
            raise DataError(
                f"{name}: the task makes no row of the {len(decodable)} in {table.name}"
            )
        if learned:
            arranged = parted_rows(arranged, objective)
        good, lengths, targets, longest = array("q"), array("q"), Targets(), 0
        odd: Counter[str] = Counter()
        tells = isinstance(reader, TellingReader)
        with RowDecoder(arranged, reader, memory=memory, name=name) as keeper:
            for index in range(len(arranged)):
                try:
                    arrays, labels = _read(arranged, index, keeper.read, objective)
                    longest = max(longest, reader.length(arrays))
                    if objective.whole:
                        full = reader.length(arrays) >= NEARLY * longest
                        _check_whole(arranged.raw(index), arrays, reader, full=full)
                    if tells:
                        odd.update(oddities_of(reader, arranged.raw(index)))
                except RowError as error:
                    problems.append(refused(arranged, index, error))
                    continue
                keeper.keep(index, len(good), arrays)
                targets.add(labels)
                lengths.append(reader.length(arrays))
                good.append(index)
        if problems and hand_over is not None:
            hand_over(problems)
        judge(problems, len(known) + len(arranged), allowed_bad, name)
        chosen = arranged.select(np.array(good, dtype=np.int64))
        return cls(
            chosen,
            reader,
            objective,
            lengths=np.array(lengths, dtype=np.int64),
            kept=keeper.finish(chosen),
            targets=targets,
            problems=problems,
            name=name,
            odd=odd,
        )

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Arrays:
        """The arrays of one row; a new dict each time, the arrays themselves read-only."""
        return self.fetch(index, None)

    def fetch(self, index: int, names: Collection[str] | None) -> Arrays:
        """Those arrays of one row that are in ``names``; None: all. What is not asked for is not
        read."""
        index = int(index)
        targets = self._targets.get(index)
        if names is not None and targets is not None and targets.keys() >= set(names):
            return {name: targets[name] for name in names}
        try:
            arrays = self._arrays(index, names)
            if targets is None and (names is None or not arrays.keys() >= set(names)):
                read = arrays if names is None else self._arrays(index, None)
                targets = _targets(self.objective, self.table.target_row(index), read)
        except RowError as error:
            raise DataError(
                f"{self.place(index)}: could be read before, but not now: {error}"
            ) from error
        both = {**arrays, **(targets or {})}
        return both if names is None else {name: both[name] for name in both if name in names}

    def read(self, index: int) -> Arrays:
        """The reader's arrays of one row alone, read-only: what a deployed graph is fed."""
        try:
            return self._arrays(index, None)
        except RowError as error:
            raise DataError(
                f"{self.place(index)}: could be read before, but not now: {error}"
            ) from error

    def windows(self, index: int) -> tuple[Arrays, ...]:
        """The rows in which all of one raw value is read, the first as `read` gives it."""
        return all_windows(self.reader, self.raw(index), self.read(index))

    def _arrays(self, index: int, names: Collection[str] | None) -> Arrays:
        """What the reader gives of one row: those in ``names`` where they are kept, else all."""
        kept = self._kept.fetch(index, names)
        return frozen(read_row(self.reader, self.table.raw(index))) if kept is None else kept

    def raw(self, index: int) -> Any:
        """The raw value of one row."""
        return self.table.raw(index)

    def row(self, index: int) -> dict[str, Any]:
        """One raw row, by column, its targets among them."""
        return self.table.row(index)

    def target_row(self, index: int) -> dict[str, Any]:
        """The same with the whole paths of `Task.files`, as `Objective.encode` takes it."""
        return self.table.target_row(index)

    def place(self, index: int) -> str:
        """Where a person finds this row."""
        return self.table.place(index)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns."""
        return self.table.columns

    def column(self, name: str) -> list[Any]:
        """All values of one raw column."""
        return self.table.column(name)

    def cells(self, name: str) -> Sequence[Any]:
        """The same values as `column`, read when they are asked for."""
        return self.table.cells(name)


def _read(
    table: Table, index: int, read: Callable[[int], Arrays], objective: RowObjective
) -> tuple[Arrays, Arrays]:
    """One row's arrays and its targets. Raises RowError, which names the column where that is
    known."""
    raw = table.content.raw
    column = raw[0] if len(raw) == 1 else None
    try:
        arrays = read(index)
        column = None
        targets = _targets(objective, table.target_row(index), arrays)
    except RowError as error:
        error.column = error.column or column
        raise
    if objective.moves:
        plane(arrays)
    twice = arrays.keys() & targets.keys()
    if twice:
        raise PluginError(
            f"reader and objective both give an array named {min(twice)!r}; rename the target"
        )
    return arrays, targets


def _check_encode(objective: RowObjective) -> None:
    """Raise PluginError where an objective's `encode` does not take what it is called with."""
    taken = inspect.signature(objective.encode)
    try:
        taken.bind({}, {})
    except TypeError as error:
        raise PluginError(
            f"{type(objective).__name__}.encode{taken} does not take what it is called with: "
            "write encode(self, row, arrays), where arrays is what the reader gave of the row"
        ) from error


def _targets(objective: RowObjective, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
    """A row's target arrays. Raises RowError, whatever the objective raises: targets may be files
    too."""
    with row_errors():
        return frozen(objective.encode(row, dict(arrays)))


def _check_whole(raw: Any, arrays: Arrays, reader: Reader, *, full: bool) -> None:
    """Raise RowError for a value of which the reader gives the beginning only.

    A reader that does not count is asked for the windows of a row that may be ``full``.
    """
    excess = excess_of(reader, raw, arrays)
    if excess is None and (isinstance(reader, CountingReader) or not full):
        return
    if excess is None and len(all_windows(reader, raw, arrays)) < 2:
        return
    told, limit = (
        ("", "the reader's limit")
        if excess is None
        else (f" ({excess})", f"reader.{excess.option}")
    )
    raise RowError(
        f"is longer than one row{told}, and its target describes all of it: cut both in pieces, "
        f"or raise {limit}"
    )
