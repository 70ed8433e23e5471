"""Folders of files as rows: a subfolder a class, or a table of metadata beside the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multigraft.contracts.formats import Parsed
from multigraft.contracts.records import Modality
from multigraft.data.cache.content import Content
from multigraft.data.sources.cells import column
from multigraft.data.sources.contents import content_of
from multigraft.data.sources.folders import (
    find_rows,
    folder_notes,
    list_folder,
    named,
    refuse_splits,
    shown_name,
)
from multigraft.data.sources.table import whole
from multigraft.errors import DataError

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def media_folder(
    folder: Path, modality: Modality, columns: Mapping[str, str], parse: Callable[[Path], Parsed]
) -> Content:
    """Read a folder of files of a modality; ``parse`` reads a table of metadata in it.

    Raises DataError where it holds none, several tables, or splits instead of classes.
    """
    name = folder.resolve().name
    metadata = [folder / each for each in METADATA if (folder / each).is_file()]
    if len(metadata) > 1:
        raise DataError(f"{name}: holds {' and '.join(each.name for each in metadata)}; keep one")
    if metadata:
        return _metadata_folder(folder, name, metadata[0], modality, columns, parse=parse)
    if modality.branches:
        raise DataError(
            f"{name}: a folder holds several modalities where a {METADATA[0]} in it has a column "
            "for each; a folder of classes holds one"
        )
    return _class_folder(folder, name, modality, columns)


def _file_column(modality: Modality) -> str:
    """The column whose cells name a folder's files."""
    read = (branch for branch, each in modality.branches.items() if each.suffixes)
    return next(read, modality.columns[0])


def _metadata_folder(
    folder: Path,
    name: str,
    metadata: Path,
    modality: Modality,
    columns: Mapping[str, str],
    *,
    parse: Callable[[Path], Parsed],
) -> Content:
    first = _file_column(modality)
    parsed = parse(metadata)
    own = first if modality.branches and first in parsed.columns else "file_name"
    source = columns.get(first, own)
    if source not in parsed.columns:
        there = ", ".join(parsed.columns)
        raise DataError(f"{name}/{metadata.name}: column {source!r} is missing; it holds: {there}")
    content = content_of(name, parsed, modality, {**columns, first: source}, folder)
    names = whole(content).column(first)
    places = [value or f"{metadata.name} row {row}" for row, value in enumerate(names, 1)]
    notes = [*content.notes, *_unnamed_notes(folder, name, metadata.name, names, modality)]
    return replace(content, paths=places, notes=tuple(notes), base=folder)


def _unnamed_notes(
    folder: Path, name: str, metadata: str, names: Sequence[Any], modality: Modality
) -> Iterator[str]:
    """Note the files of a folder that no row of its ``metadata`` names."""
    known = {os.path.normpath(folder / each) for each in names if isinstance(each, str)}
    listed = find_rows(list_folder(folder), modality.suffixes)
    others = [each for each in listed if os.path.normpath(folder / each) not in known]
    if others:
        what = "file that it does not name" if len(others) == 1 else "files that it does not name"
        yield f"{name}/{metadata}: {len(others)} {what} left out: {named(others)}"


def _class_folder(
    folder: Path, name: str, modality: Modality, columns: Mapping[str, str]
) -> Content:
    listing = list_folder(folder)
    rows = find_rows(listing, modality.suffixes)
    notes = [f"{name}: {note}" for note in folder_notes(listing, rows)]
    if not rows:
        problem = f"{name}: holds no file ending in {', '.join(modality.suffixes)}"
        raise DataError("\n".join([problem, *notes]))
    refuse_splits(name, rows)
    paths = list(rows)
    labels = [
        path.split("/")[0] if "/" in path or path in listing.folders else None for path in paths
    ]
    bad = {row: why for row, why in enumerate(rows.values()) if why is not None}
    parsed = Parsed({modality.columns[0]: column(list(paths), modality.columns[0], bad)}, bad)
    if any(labels):
        parsed.columns["label"] = column(labels, "label", bad)
    content = content_of(name, parsed, modality, columns, folder)
    return replace(content, paths=[shown_name(path) for path in paths], notes=tuple(notes))
