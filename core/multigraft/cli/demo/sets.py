"""Demo data sets: files of one modality, split into unlabelled, few labelled and held-out rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class DemoSet:
    """One modality's data on disk; no row of ``test`` or ``validation`` is in another split."""

    modality: str
    unlabelled: Path | None
    """The rows to pretrain on: no labels. None where the weights are published ones."""
    train: Path
    """The few labelled rows."""
    validation: Path
    test: Path
    rows: Mapping[str, int]
    """How many rows each split has."""
    facts: Mapping[str, str]
    """What it is, where it comes from, how it was cut, and under which licence."""


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write rows under a header; gives their number."""
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
