"""Pictures with their objects, gathered into the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multigraft import RowError
from multigraft.contracts.formats import UTF8, Parsed
from multigraft.data.sources.cells import column
from multigraft_vision.annotations.boxes import fitted

KIND = "picture"
COLUMNS = ("image", "objects", "id", "width", "height")
NAMED = 5
"""Rows that a warning names."""


@dataclass(frozen=True)
class Marked:
    """One annotation: what it is called in its file, and what it says, or why it cannot be used."""

    name: str
    """As ``annotation 7``."""
    label: str = ""
    box: Sequence[float] = ()
    """Left, top, right, bottom."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else is kept of it."""
    mended: frozenset[str] = frozenset()
    fault: str = ""


@dataclass
class Pictures:
    """The rows of one source, as they are found."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    mended: dict[str, list[int]] = field(default_factory=dict)

    def add(
        self,
        image: str,
        marks: Sequence[Marked],
        *,
        size: tuple[int, int] | None,
        name: Any = None,
    ) -> None:
        """Take a picture with its annotations; one that is wrong makes the row bad."""
        row, objects, faults = len(self.rows), [], []
        for mark in marks:
            try:
                objects += list(self._object(mark, size, row))
            except RowError as error:
                faults.append(f"{mark.name}: {error}")
        width, height = size or (None, None)
        cells = (image, objects, name, width, height)
        self.rows.append(dict(zip(COLUMNS, cells, strict=True)))
        if faults:
            more = f" (and {len(faults) - 1} more)" if faults[1:] else ""
            self.refuse(row, f"{image}: {faults[0]}{more}")

    def lost(self, why: str) -> None:
        """Take what belongs to no picture as a bad row of its own."""
        self.bad[len(self.rows)] = why
        self.rows.append(dict.fromkeys(COLUMNS))

    def refuse(self, row: int, why: str) -> None:
        """Make a row bad, of which the first fault is told."""
        self.bad.setdefault(row, why)

    def tell(self, row: int, what: str) -> None:
        """Count a row among those of which this is told."""
        rows = self.mended.setdefault(what, [])
        if rows[-1:] != [row]:
            rows.append(row)

    def parsed(self, *, notes: Sequence[str] = (), encoding: str = UTF8, **more: Any) -> Parsed:
        """All of it as columns; an id is left out where no picture has one."""
        bad = dict(self.bad)
        columns = {
            name: column([row[name] for row in self.rows], name, bad, encoding=encoding)
            for name in COLUMNS
            if name != "id" or any(row["id"] is not None for row in self.rows)
        }
        warnings = {what: (len(rows), rows[:NAMED]) for what, rows in sorted(self.mended.items())}
        return Parsed(columns, bad, warnings, list(notes), kind=KIND, **more)

    def _object(
        self, mark: Marked, size: tuple[int, int] | None, row: int
    ) -> Iterator[dict[str, Any]]:
        if mark.fault:
            raise RowError(mark.fault)
        box, mended = fitted(mark.box, size)
        for what in mended | mark.mended:
            self.tell(row, what)
        if box:
            area = mark.more.get("area", box[2] * box[3])
            yield {"label": mark.label, "box": box, **mark.more, "area": area}


def below(folder: Path, name: str) -> Path:
    """A picture's file, which may be named as a whole path."""
    return folder / name
