"""Duplicate ids: rows whose id is missing or was met before, in the same split or another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from multigraft.contracts.readers import fingerprint
from multigraft.data.cache.content import Content
from multigraft.data.sources.columns import Cells
from multigraft.data.sources.table import Table, whole
from multigraft.models.tasks.shared import label_fault, label_name

ID = "id"
EMPTY = f"column {ID!r} holds no id"


def check_ids(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Mark rows whose id is empty, or stands further up, as bad: the same tables otherwise.

    The splits are gone through in their order, so that of two equal ids the first split's stays.
    Tables are whole files here.
    """
    marks = {split: _marks(table.cells(ID)) for split, table in tables.items()}
    joined = np.concatenate(list(marks.values()))
    _, first, of = np.unique(joined, return_index=True, return_inverse=True)
    again = first[of] != np.arange(len(joined))
    starts = dict(zip(marks, np.cumsum([0, *map(len, marks.values())]).tolist(), strict=False))
    checked: dict[str, Table] = {}
    for split, table in tables.items():
        start = starts[split]
        bad: dict[int, str] = {}
        for row in np.flatnonzero(again[start : start + len(table)] | (marks[split] == 0)).tolist():
            before = int(first[of[start + row]])
            bad[row] = (
                EMPTY
                if marks[split][row] == 0
                else _met(table, row, _place(before, tables, starts))
            )
        checked[split] = whole(_marked(table.content, bad)) if bad else table
    return checked


def _marks(ids: Cells) -> np.ndarray:
    """[rows] uint64: a hash of each id; 0 where there is none."""
    return np.fromiter((_mark(value) for value in ids), np.uint64, len(ids))


def _mark(value: Any) -> int:
    if label_fault(value) is not None:
        return 0
    digest = hashlib.blake2b(label_name(value).strip().encode(), digest_size=8).digest()
    return int.from_bytes(digest) or 1


def _place(joined: int, tables: Mapping[str, Table], starts: Mapping[str, int]) -> str:
    split = [split for split, start in starts.items() if start <= joined][-1]
    return tables[split].place(joined - starts[split])


def _met(table: Table, row: int, place: str) -> str:
    value = table.row(row)[ID]
    written = value if isinstance(value, str) else label_name(value)
    return f"column {ID!r} holds {written!r} again, which is also at {place}"


def _marked(content: Content, bad: Mapping[int, str]) -> Content:
    """A content with further bad rows; its digests are others, so its name in the cache is too."""
    key = content.key and fingerprint({"content": content.key, "bad": sorted(bad)})
    return replace(content, bad={**bad, **content.bad}, key=key)
