"""Row identities: by what two evaluations know that they measured the same rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from multigraft.contracts.records import Task
from multigraft.data.cache.content import canonical
from multigraft.data.checks.duplicate_ids import ID
from multigraft.data.rows import Rows


def row_identities(rows: Rows, task: Task) -> np.ndarray:
    """[rows] uint64: equal where a row has the same ``id``, or without such a column the same raw
    value (files count by their bytes), and the same target cells.

    With ids, rows are the same to backbones that read other columns of them.
    """
    targets = [
        rows.cells(name) for name in task.columns if name in rows.columns and name not in task.files
    ]
    values: Any = rows.cells(ID) if ID in rows.columns else map(bytes, rows.table.digests)
    each = (_identity(value, cells) for value, *cells in zip(values, *targets, strict=True))
    return np.fromiter(each, np.uint64, len(rows))


def _identity(value: Any, targets: list[Any]) -> int:
    digest = hashlib.blake2b(canonical([value, *targets]), digest_size=8).digest()
    return int.from_bytes(digest)
