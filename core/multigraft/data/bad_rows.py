"""Bad rows: where each stands, what is wrong with it, and the quarantine where it can be fixed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.readers import naming_file
from multigraft.data.sources.table import Table
from multigraft.errors import DataError, RowError
from multigraft.system.files import write_text

SHOWN = 20
QUARANTINE = "quarantine"
NAMED = re.compile(r"column (['\"])(.*?)\1 ")


@dataclass(frozen=True)
class Problem:
    """A bad row that was left out."""

    table: Table
    index: int
    reason: str
    column: str | None = None
    """The cell that is wrong, where one alone is."""
    file: str | None = None
    """The name in it of a file that cannot be read."""

    @property
    def place(self) -> str:
        """Place where a person finds the row."""
        return self.table.place(self.index)

    def __str__(self) -> str:
        column = None if self._whole_file() else self.called
        return f"{self.place}{in_column(column, self.reason)}: {self.told}"

    @property
    def told(self) -> str:
        """The reason, with the name of the file that it is about."""
        return naming_file(self.reason, self.file)

    @property
    def called(self) -> str | None:
        """The column's name in the file."""
        return None if self.column is None else self.table.called(self.column)

    def record(self) -> dict[str, Any]:
        """File, row, column and reason, ready for JSON."""
        file, row = self.table.where(self.index)
        return {"file": file, "row": row, "column": self.called, "reason": self.told}

    def _whole_file(self) -> bool:
        """Whether the place is the wrong cell itself: a file in a folder."""
        return self.table.where(self.index)[1] is None and self.column in self.table.content.raw


def in_column(column: str | None, reason: str) -> str:
    """What to say of a wrong cell's column behind its row's place; nothing where the reason names
    it.

    >>> in_column("label", "is a list"), in_column("label", "column 'label' is empty")
    (", column 'label'", '')
    """
    return "" if column is None or repr(column) in reason else f", column {column!r}"


def undecodable(table: Table, index: int) -> Problem:
    """The problem of a row that is bad before any reader sees it; its reason names the column."""
    reason = str(table.problem(index))
    named = NAMED.match(reason)
    return Problem(table, index, reason, named[2] if named else None)


def refused(table: Table, index: int, error: RowError) -> Problem:
    """The problem of a row that a reader or an objective refused."""
    cell = table.row(index).get(error.column) if error.column else None
    file = cell if isinstance(cell, str) and table.where(index)[1] is not None else None
    return Problem(table, index, str(error), error.column, file)


def judge(problems: Sequence[Problem], total: int, allowed: float, name: str) -> None:
    """Raise DataError, listing the problems, where over ``allowed`` of ``total`` rows have one, or
    no row is good.

    Where any number is allowed, as of other data, no recipe is at fault.
    """
    if not problems or (len(problems) < total and len(problems) <= allowed * total):
        return
    share = len(problems) / total
    lines = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more")
    head = f"{name}: {len(problems)} of {total} rows ({share:.1%}) cannot be used"
    head += "" if allowed >= 1 else f"; {allowed:.1%} may be"
    notes = dict.fromkeys(note for problem in problems for note in problem.table.notes)
    raise DataError("\n".join([head, *lines, *notes, _advice(share, allowed)]))


def _advice(share: float, allowed: float) -> str:
    """What to do about a ``share`` of bad rows."""
    if allowed >= 1:
        return (
            "no row is left to measure on: mend them, or name their columns (--columns, columns=)"
        )
    hint = f"{min(0.99, float(np.ceil(share * 100) / 100)):g}" if share < 1 else "(no row is good)"
    return (
        "mend these rows, or let such rows be left out: data.on_bad_row: skip (or quarantine, "
        f"which writes them to a file), data.allowed_bad: {hint}"
    )


def told(problems: Mapping[str, Sequence[Problem]]) -> dict[str, Any]:
    """Count the rows each split leaves out, with the first of them; ready for JSON."""
    return {
        split: {"rows": len(found), "first": [problem.record() for problem in found[:SHOWN]]}
        for split, found in problems.items()
        if found
    }


def quarantine(problems: Sequence[Problem], folder: Path, part: str) -> Path:
    """Write rows to a run's ``quarantine/<split>.jsonl``: file, row, column, reason and cells.

    A cell of bytes is written as ``{"base64": ...}``; one that could not be decoded is null.
    """
    path = folder / QUARANTINE / f"{part}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {**problem.record(), "cells": problem.table.as_read(problem.index)},
            default=_plain,
            ensure_ascii=False,
        )
        for problem in problems
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))
    return path


def release(folder: Path, split: str) -> None:
    """Remove what an earlier start left in quarantine: the rows may have been corrected."""
    (folder / QUARANTINE / f"{split}.jsonl").unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """What JSON does not know: bytes, times, numbers of other kinds."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)
