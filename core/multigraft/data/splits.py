"""Data splits: a run's training, validation and test rows, loaded or made, and their record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.formats import Format
from multigraft.contracts.records import Modality
from multigraft.data.checks.duplicate_ids import ID, check_ids
from multigraft.data.checks.leakage import Leak, find_leaks, judge_leaks
from multigraft.data.checks.sketches import sketch_tables
from multigraft.data.checks.suspicious import flaw_notes, group_notes
from multigraft.data.label_cells import LabelsIn, label_lists
from multigraft.data.sources.parsing import CORE
from multigraft.data.sources.rewriting import Rewrite
from multigraft.data.sources.several import Source
from multigraft.data.sources.source_table import gathered_as, source_table
from multigraft.data.sources.table import Table
from multigraft.data.splitting import hold_out, limit_rows, split_table
from multigraft.recipe import Data

ALLOWED = 0.5
"""The share of rows that may stand in two splits where a recipe does not say."""


@dataclass(frozen=True)
class Splits:
    """Training, validation and test rows; the latter two may be empty."""

    train: Table
    validation: Table
    test: Table
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Split -> ``rows``, ``source`` and ``fingerprint``, ready for JSON."""
    notes: tuple[str, ...] = ()
    """Notes: rows in two splits, rows that look wrong, files left out."""
    leaks: tuple[Leak, ...] = ()
    """Rows that stand in two splits."""

    def train_alone(self) -> Splits:
        """The same training rows, and none held out."""
        nothing = self.train.select(np.arange(0))
        return replace(self, validation=nothing, test=nothing)


def load_splits(
    data: Data,
    *,
    modality: Modality,
    task_columns: Sequence[str],
    stratify_by: str | None,
    seed: int,
    base: Path | None = None,
    settled: bool = False,
    files: tuple[str, ...] = (),
    rewrite: Rewrite | None = None,
    labels_in: LabelsIn | None = None,
    formats: Sequence[Format] = CORE,
) -> Splits:
    """Load the splits that have a source of their own, and cut the others from the training rows.

    ``task_columns`` must be in every split; ``stratify_by`` names the column whose values keep
    their shares, and ``labels_in`` reads several labels of it; ``files`` those that hold names of
    files; ``rewrite`` is `Task.rows`, ``formats`` are those of the catalog. Relative paths start at
    ``base``. ``settled``: a run was begun with these rows, so they are not compared with each other
    again. Raises DataError.
    """
    own: dict[str, Table] = {}
    for split, path in _sources(data).items():
        own[split] = source_table(
            path,
            gathered_as(data, own["train"]) if own else data,
            modality=modality,
            task_columns=task_columns,
            split=split,
            base=base,
            files=files,
            rewrite=rewrite,
            formats=formats,
        )
    if ID in data.columns:
        own = check_ids(own)
    if data.split.hold_out:
        own |= hold_out(own["train"], data.split.hold_out)
    shares = data.split.model_copy(update={split: 0.0 for split in own if split != "train"})
    train = own["train"]
    labels = partial(_labels, name=stratify_by, labels_in=labels_in)
    train, validation, test = split_table(train, shares, labels=labels(train), seed=seed)
    if data.limit is not None:
        train = limit_rows(train, data.limit, labels=labels(train), seed=seed)
    held_out = {
        "validation": own.get("validation", validation),
        "test": own.get("test", test),
    }
    if data.limit_held_out is not None:
        held_out = {
            split: limit_rows(table, data.limit_held_out, labels=labels(table), seed=seed)
            for split, table in held_out.items()
        }
    splits = {"train": train, **held_out}
    leaks, warnings = ([], []) if settled else _compare(splits, data, modality)
    notes = [note for table in own.values() for note in table.notes]
    return Splits(
        **splits,
        facts={split: _facts(table) for split, table in splits.items()},
        notes=(*notes, *warnings),
        leaks=tuple(leaks),
    )


def _sources(data: Data) -> dict[str, Source]:
    given = {"train": data.train, "validation": data.validation, "test": data.test}
    return {split: path for split, path in given.items() if path is not None}


def _labels(table: Table, name: str | None, labels_in: LabelsIn | None) -> Sequence[Any] | None:
    if name is None:
        return None
    cells = table.cells(name)
    return cells if labels_in is None else label_lists(cells, labels_in)


def _facts(table: Table) -> dict[str, Any]:
    return {"rows": len(table), "source": table.name, "fingerprint": table.fingerprint}


def _allowed(data: Data, modality: Modality) -> float:
    """The share of rows that may stand in two splits."""
    if data.leakage.allowed is not None:
        return data.leakage.allowed
    return 1.0 if modality.repeats else ALLOWED


def _compare(
    splits: dict[str, Table], data: Data, modality: Modality
) -> tuple[list[Leak], list[str]]:
    """Find what stands in two splits, and the notes on it. Raises DataError for too much."""
    likeness = modality.likeness if data.leakage.near else None
    sketches = sketch_tables(splits, likeness) if likeness is not None else {}
    leaks = find_leaks(splits, sketches, likeness)
    judge_leaks(leaks, _allowed(data, modality))
    notes = [note for leak in leaks for note in leak.notes()]
    if data.split.group is not None:
        notes += group_notes(splits, data.split.group)
    if likeness is not None:
        notes += flaw_notes(splits, sketches, likeness.flaws)
    return leaks, notes
