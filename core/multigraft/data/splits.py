"""The three parts of a run's data, found or made, with what a run's record says about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.data.content import NOTHING
from multigraft.data.digests import DIGEST, find
from multigraft.data.source import ENDINGS, FORMATS, load_table
from multigraft.data.split import limit_rows, split_table
from multigraft.data.table import Table, require
from multigraft.recipe import Data
from multigraft.records import Modality


@dataclass(frozen=True)
class Splits:
    """Training, validation and test rows; the latter two may be empty."""

    train: Table
    validation: Table
    test: Table
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Part -> ``rows``, ``source`` and ``fingerprint``, ready for JSON."""
    notes: tuple[str, ...] = ()
    """What a person must know: equal rows in two parts, files left out."""


def load_splits(
    data: Data,
    *,
    modality: Modality,
    task_columns: Sequence[str],
    stratify_by: str | None,
    seed: int,
    base: Path | None = None,
) -> Splits:
    """Load the parts that have a source of their own, and cut the others from the training rows.

    ``task_columns`` must be in every part; ``stratify_by`` names the column of labels, where there is one.
    Relative paths start at ``base``. Raises DataError.
    """
    own = {
        part: load_table(
            path,
            format=_format(data, part, path),
            modality=modality,
            columns=data.columns,
            base=base,
            part=part,
        )
        for part, path in _sources(data).items()
    }
    for table in own.values():
        require(table, task_columns)
    shares = data.split.model_copy(update={part: 0.0 for part in own if part != "train"})
    train = own["train"]
    train, validation, test = split_table(train, shares, labels=_labels(train, stratify_by), seed=seed)
    if data.limit is not None:
        train = limit_rows(train, data.limit, labels=_labels(train, stratify_by), seed=seed)
    parts = {"train": train, "validation": own.get("validation", validation), "test": own.get("test", test)}
    notes = [note for table in own.values() for note in table.notes]
    return Splits(
        **parts, facts={part: _facts(table) for part, table in parts.items()}, notes=(*notes, *_leaks(parts))
    )


def _sources(data: Data) -> dict[str, str]:
    given = {"train": data.train, "validation": data.validation, "test": data.test}
    return {part: path for part, path in given.items() if path is not None}


def _format(data: Data, part: str, path: str) -> str:
    """``data.format`` is the training rows'; other files go by their ending where it says enough."""
    if part == "train" or (data.format in FORMATS and Path(path).suffix.lower() not in ENDINGS):
        return data.format
    return "auto"


def _labels(table: Table, name: str | None) -> Sequence[Any] | None:
    return None if name is None else table.cells(name)


def _facts(table: Table) -> dict[str, Any]:
    return {"rows": len(table), "source": table.name, "fingerprint": table.fingerprint}


def _leaks(parts: dict[str, Table]) -> list[str]:
    """A note for each held-out part with rows whose raw value is also in training."""
    known = np.sort(parts["train"].digests)
    nothing = np.array(NOTHING, DIGEST)
    notes = []
    for part in ("validation", "test"):
        held = parts[part].digests
        shared = int(((find(held, known) >= 0) & (held != nothing)).sum())
        if shared:
            notes.append(
                f"{shared} of {len(parts[part])} {part} rows are also training rows (equal raw value), which "
                "flatters the score; remove the copies, or keep them together: data.split.group"
            )
    return notes
