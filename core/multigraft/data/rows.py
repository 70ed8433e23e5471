"""Rows that were read once and found good: what the loop draws its batches from."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.data.table import Content, Table, whole
from multigraft.errors import DataError, PluginError, RowError
from multigraft.objectives import Objective
from multigraft.records import Arrays, Reader

SHOWN = 20
MEMORY = 2**30
OVERHEAD = 200
"""Bytes an array costs besides its data, roughly."""
ARRANGE = 4
"""What the generator is for; part of its seed."""


@dataclass(frozen=True)
class Problem:
    """A row that was left out."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class Rows:
    """Good rows as arrays: the reader's and the objective's targets. Kept in memory as far as they fit."""

    def __init__(
        self,
        table: Table,
        reader: Reader,
        objective: Objective,
        *,
        lengths: np.ndarray,
        kept: Mapping[int, Arrays],
        problems: Sequence[Problem],
        name: str,
    ) -> None:
        """Use `Rows.audit`. ``kept`` are the rows that need not be read again, by their number."""
        self.table = table
        self.lengths = lengths
        """[rows] int64: each row's `Reader.length`."""
        self.problems = tuple(problems)
        self.name = name
        self._reader = reader
        self._objective = objective
        self._kept = kept

    @classmethod
    def audit(
        cls,
        table: Table,
        reader: Reader,
        objective: Objective,
        *,
        allowed_bad: float,
        name: str,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> Rows:
        """Let the objective arrange the rows, then read each once; those that cannot be read are left out.

        ``name`` is the part's, for messages. At most about ``memory`` bytes of arrays are kept; other rows
        are read again when asked for. Raises DataError with places and reasons where a larger share than
        ``allowed_bad`` is bad, or no row is good.
        """
        undecodable = [index for index in range(len(table)) if table.problem(index)]
        problems = [Problem(table.place(index), str(table.problem(index))) for index in undecodable]
        decodable = table.select(np.delete(np.arange(len(table)), undecodable))
        arranged = _arrange(decodable, objective, seed, name)
        if len(decodable) and not len(arranged):
            raise DataError(f"{name}: the task makes no row of the {len(decodable)} in {table.name}")
        kept: dict[int, Arrays] = {}
        good: list[int] = []
        lengths: list[int] = []
        for index in range(len(arranged)):
            try:
                arrays = _read(arranged, index, reader, objective)
            except RowError as error:
                problems.append(Problem(arranged.place(index), str(error)))
                continue
            memory -= sum(array.nbytes + OVERHEAD for array in arrays.values())
            if memory >= 0:
                kept[len(good)] = arrays
            lengths.append(reader.length(arrays))
            good.append(index)
        _judge(problems, len(undecodable) + len(arranged), allowed_bad, name)
        return cls(
            arranged.select(good),
            reader,
            objective,
            lengths=np.array(lengths, dtype=np.int64),
            kept=kept,
            problems=problems,
            name=name,
        )

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Arrays:
        """The arrays of one row; a new dict each time, the arrays themselves read-only."""
        index = int(index)
        kept = self._kept.get(index)
        if kept is not None:
            return dict(kept)
        try:
            return _read(self.table, index, self._reader, self._objective)
        except RowError as error:
            raise DataError(f"{self.place(index)}: could be read before, but not now: {error}") from error

    def raw(self, index: int) -> Any:
        """The raw value of one row."""
        return self.table.raw(index)

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


def _read(table: Table, index: int, reader: Reader, objective: Objective) -> Arrays:
    try:
        arrays = reader.read(table.raw(index))
        targets = objective.encode(table.row(index))
    except RowError:
        raise
    except Exception as error:
        error.add_note(f"while reading {table.place(index)}; for a bad value a reader must raise RowError")
        raise
    twice = arrays.keys() & targets.keys()
    if twice:
        raise PluginError(f"reader and objective both give an array named {min(twice)!r}; rename the target")
    both = {name: np.asarray(value) for name, value in {**arrays, **targets}.items()}
    for array in both.values():
        array.setflags(write=False)  # kept rows are used again: a change in place would be felt later
    return both


def _arrange(table: Table, objective: Objective, seed: int, name: str) -> Table:
    """The table as the objective rewrites it; itself where the objective leaves it as it is."""
    view = _View(table)
    rows = objective.arrange(view, np.random.default_rng([seed, ARRANGE, zlib.crc32(name.encode())]))
    if rows is view:
        return table
    names = dict.fromkeys(column for row in rows for column in row)
    columns = {column: [row.get(column) for row in rows] for column in names}
    old = table.content
    return whole(
        Content(
            name=old.name,
            columns=columns,
            raw=tuple(column for column in old.raw if column in names),
            folder=old.folder,
            suffixes=old.suffixes,
            kind="arranged row",
        )
    )


class _View(Sequence[Mapping[str, Any]]):
    """A table as the plain sequence of rows an objective arranges."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._table.row(row) for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._table.row(index)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (self._table.row(row) for row in range(len(self)))


def _judge(problems: Sequence[Problem], total: int, allowed: float, name: str) -> None:
    if not problems or (len(problems) < total and len(problems) <= allowed * total):
        return
    share = len(problems) / total
    lines = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more")
    head = f"{name}: {len(problems)} of {total} rows ({share:.1%}) cannot be used; {allowed:.1%} may be"
    advice = "mend these rows, or let such rows be left out: data.allowed_bad: "
    hint = (
        f"{min(0.99, float(np.ceil(share * 100) / 100)):g}" if len(problems) < total else "(no row is good)"
    )
    raise DataError("\n".join([head, *lines, advice + hint]))
