"""Record of a cell: one file, written whole when the cell ends, so that no index is shared."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from multigraft.errors import RunError, refused_as
from multigraft.system.files import check_plain, write_json
from multigraft.system.json_numbers import finite

log = logging.getLogger("multigraft")
RECORD_BYTES = 2**24
FOLDER = "records"


@dataclass(frozen=True)
class Score:
    """A metric of a run on the rows of one domain."""

    metric: str
    value: float | None
    """None where it is no finite number."""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Tested:
    """A run on the rows of one domain, or why it could not be tested there."""

    domain: str
    rows: int = 0
    scores: tuple[Score, ...] = ()
    seconds: float = 0.0
    reason: str | None = None
    """What went wrong; None: nothing."""
    notes: tuple[str, ...] = ()
    answers: str | None = None
    """The file of the answer to each row, in the run's folder; None: its task has none."""
    kept: str | None = None
    """The file by which rows are compared (see `runs.row_results`); None: there is none."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """How a cell ended."""

    cell: str
    state: Literal["finished", "failed"]
    reason: str | None = None
    """Why it failed, or stopped early."""
    seconds: float = 0.0
    """Of its training."""
    train_rows: int | None = None
    monitor: str | None = None
    """The metric that its task is monitored by."""
    greater_is_better: bool = True
    validation: float | None = None
    """The best validation of its training by what its task is monitored by; None: it had none."""
    tested: tuple[Tested, ...] = ()
    ms: float | None = None
    """Milliseconds in which one row is read and computed, alone."""
    megabytes: float | None = None
    """Of its weights."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it was computed with, as ``{"threads": 1}``."""

    @property
    def problems(self) -> list[str]:
        """What went wrong, in lines; empty: nothing."""
        if self.state == "failed":
            return [self.reason or "failed"]
        return [f"{each.domain}: {each.reason}" for each in self.tested if each.reason]


def file_of(folder: Path, key: str) -> Path:
    """Where an experiment's folder keeps the record of a cell."""
    return folder / FOLDER / f"{key}.json"


def write_record(folder: Path, record: Record) -> None:
    """Write the record of a cell, whole or not at all."""
    path = file_of(folder, record.cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, finite(asdict(record)))


def read_cell_record(folder: Path, key: str) -> Record | None:
    """The record of a cell that ended; None where there is none, or none that can be read."""
    path = file_of(folder, key)
    if not path.exists():
        return None
    try:
        with refused_as(RunError, f"{path}: cannot be read"):
            check_plain(path, limit=RECORD_BYTES)
            return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except RunError as error:
        log.warning("%s; the cell is taken for one that has not ended", error)
        return None


def _parsed(raw: Any) -> Record:
    from pydantic import TypeAdapter

    return TypeAdapter(Record).validate_python(raw)
