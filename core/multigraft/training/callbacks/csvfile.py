"""CSV export: curves and figures as a table of four columns that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multigraft.errors import RunError
from multigraft.system.files import write_text
from multigraft.training.callbacks.points import Point

if TYPE_CHECKING:
    from multigraft.runs.run import Run

HEADING = ["run", "step", "name", "value"]
TRAINING = ("train/", "validation/")


class CsvFile:
    """A sink: one row a point. Rows of other runs in the file stay as they are."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file = Path()
        self._run = ""

    def open(self, run: Run) -> None:
        """Find the file. Raises RunError where it is a table of another kind."""
        self._file = self.path or run.folder / "metrics.csv"
        self._run = str(run.folder)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._read()

    def rewrite(self, points: Sequence[Point]) -> None:
        """Put these in the place of the run's curves."""
        self._replace(lambda name: name.startswith(TRAINING), points)

    def append(self, points: Sequence[Point]) -> None:
        """Add rows at the end."""
        with self._file.open("a", encoding="utf-8", newline="") as file:
            file.write(_text(self._rows(points)))

    def figures(self, place: str, points: Sequence[Point]) -> None:
        """Put these in the place of what the last such report said."""
        self._replace(lambda name: name.startswith(f"{place}/"), points)

    def close(self, *, finished: bool) -> None:
        """Nothing is open between two rows."""

    def _replace(self, goes: Callable[[str], bool], points: Sequence[Point]) -> None:
        kept = [row for row in self._read() if row[0] != self._run or not goes(row[2])]
        write_text(self._file, _text([HEADING, *kept, *self._rows(points)]))

    def _rows(self, points: Sequence[Point]) -> list[list[str]]:
        return [[self._run, str(step), name, repr(value)] for step, name, value in points]

    def _read(self) -> list[list[str]]:
        """The whole rows of the file; a row that a killed process left unfinished is not one."""
        if not self._file.exists():
            return []
        text = self._file.read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
        if text and rows[:1] != [HEADING]:
            raise RunError(
                f"{self._file}: does not begin with {','.join(HEADING)}; name another file for "
                "CSV()"
            )
        return [row for row in rows[1:] if len(row) == len(HEADING)]


def _text(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
