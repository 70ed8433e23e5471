"""Marks of ours in Arrow metadata: how a column's values are written, and where names start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from multigraft.data.sources.columns import Form

MARK = b"multigraft"
"""In a field's metadata the form of its values, where they are `Coded`; in a schema's the folder
where relative names of files start, as JSON."""


def form_of(field: pa.Field) -> Form | None:
    """The form in which a column's values are written; None where they are Arrow's own."""
    told = (field.metadata or {}).get(MARK)
    if told is None:
        return None
    return "npy" if told == b"npy" else "json"


def marked(form: Form | None) -> dict[bytes, bytes] | None:
    """The metadata of a field that is written in ``form``."""
    return None if form is None else {MARK: form.encode()}


def folder_told(metadata: Mapping[bytes, bytes] | None) -> Path | None:
    """Where relative names of files start, as a schema says; None where it does not."""
    try:
        return Path(json.loads((metadata or {})[MARK])["folder"])
    except (KeyError, ValueError, TypeError):
        return None


def with_folder(folder: Path) -> dict[bytes, bytes]:
    """The metadata of a schema whose relative names of files start in ``folder``."""
    return {MARK: json.dumps({"folder": str(folder)}).encode()}
