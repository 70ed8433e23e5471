"""Load what a recipe's ``data:`` names, file, folder or hub, as a table with our column names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multigraft.contracts.formats import PLAIN, Format, Layout, Parsed
from multigraft.contracts.readers import fingerprint
from multigraft.contracts.records import Modality
from multigraft.data.cache.content import Content, RawColumns
from multigraft.data.sources.cells import column
from multigraft.data.sources.encodings import other_encoding
from multigraft.data.sources.folders import (
    find_rows,
    folder_notes,
    list_folder,
    named,
    refuse_splits,
    shown_name,
)
from multigraft.data.sources.formats import read_hub
from multigraft.data.sources.naming import Naming, in_recipe
from multigraft.data.sources.table import Table, require, whole
from multigraft.errors import DataError, did_you_mean, refused_as
from multigraft.plugins import builtin
from multigraft.system.files import expanded

HUB = "hub:"
CORE = tuple(builtin.register_formats())
"""The formats that core brings."""
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def load_table(
    path: str,
    *,
    format: str = "auto",
    modality: Modality,
    columns: Mapping[str, str],
    base: Path | None = None,
    split: str = "train",
    layout: Layout = PLAIN,
    files: tuple[str, ...] = (),
    formats: Sequence[Format] = CORE,
    raw: bool = True,
    naming: Naming = in_recipe,
) -> Table:
    """Read ``path`` (relative to ``base``); ``columns`` maps our names to those in the data.

    A folder has one subfolder a class, whose name becomes ``label``, or a ``metadata.csv``
    (``.jsonl``, ``.parquet``) whose ``file_name`` is relative to it. ``split`` is that of a hub
    set, ``layout`` says how files of text are written, ``files`` names further columns that hold
    names of files, ``formats`` are those that are known. Unless ``raw``, the modality's column may
    come later. Raises DataError where the source, its form or its columns are not what is needed,
    or no row of it can be read.
    """
    if path.startswith(HUB) or format == "hub":
        name = path.removeprefix(HUB)
        content = _content(f"{HUB}{name} {split}", read_hub(name, split), modality, columns, None)
    else:
        file = (base or Path()) / expanded(path)
        try:
            if not (file.is_file() or file.is_dir()):  # a device or a pipe would be read for ever
                what = "is no plain file" if file.exists() else f"does not exist{_looked_in(file)}"
                raise DataError(f"{path}: {what}")
            if format == "folder" or (format == "auto" and file.is_dir()):
                content = _load_folder(file, modality, columns, layout)
            else:
                kind = _format(file, format, formats)
                content = _load_file(file, kind, modality, columns, layout)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    table = whole(replace(content, files=files))
    if raw:
        require(table, modality.required, naming)
    if not len(table):
        raise DataError(f"{table.name}: holds no rows")
    _refuse_unreadable(table)
    return table


def _refuse_unreadable(table: Table) -> None:
    """Raise DataError where every row is known to be bad: then the fault is the source's."""
    if len(table.content.bad) < len(table):
        return
    first = f"{table.place(0)}: {table.problem(0)}"
    raise DataError(
        "\n".join([f"{table.name}: no row can be read; the first, {first}", *table.content.notes])
    )


def _format(file: Path, name: str, formats: Sequence[Format]) -> Format:
    """The format of that name, or by the file's ending."""
    named = {each.name: each for each in formats}
    if name in named:
        return named[name]
    if name != "auto":
        raise DataError(f"data.format: no format {name!r}; {did_you_mean(name, named)}")
    known = endings_of(formats)
    if file.suffix.lower() not in known:
        raise DataError(
            f"{file.name}: cannot tell its format by the ending {file.suffix!r}; "
            f"{did_you_mean(file.suffix, known)}, a folder, or set data.format"
        )
    return known[file.suffix.lower()]


def endings_of(formats: Sequence[Format]) -> dict[str, Format]:
    """The formats by their endings."""
    return {ending: each for each in formats for ending in each.endings}


def _looked_in(file: Path) -> str:
    parent = file.parent
    beside = [item.name for item in parent.iterdir()] if parent.is_dir() else []
    hint = did_you_mean(file.name, beside) if beside else ""
    return f"; {hint}" if hint.startswith("did you mean") else f" (looked in {parent.resolve()})"


def _load_file(
    file: Path, kind: Format, modality: Modality, columns: Mapping[str, str], layout: Layout
) -> Content:
    whole_folder = file.is_dir()
    if whole_folder and not kind.folders:
        raise DataError(f"{file.name}: is a folder, but data.format is {kind.name!r}")
    name = file.resolve().name if whole_folder else file.name
    parsed = _parse(file, kind, layout)
    base = parsed.folder or (file if whole_folder else file.parent)
    folder = base if modality.suffixes else None
    content = _content(name, parsed, modality, columns, folder)
    return replace(content, base=base, paths=parsed.paths)


def _parse(file: Path, kind: Format, layout: Layout) -> Parsed:
    """Parse a file's columns. Whatever a reader meets is the file's fault: a DataError."""
    with refused_as(DataError, f"{file.name}: cannot be read"):
        parsed = kind.read(file, layout)
        parsed = parsed if kind in CORE else _checked(parsed, layout.encoding)
        text = parsed.bad and file.is_file()
        advice = other_encoding(file, layout.encoding) if text else None
        return replace(parsed, notes=[*parsed.notes, advice]) if advice else parsed


def _checked(parsed: Parsed, encoding: str) -> Parsed:
    """What a plugin's reader gave, with rows that hold what cannot be decoded among the bad ones.

    Raises ValueError where columns differ in their number of rows.
    """
    counts = {name: len(values) for name, values in parsed.columns.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"its columns differ in length: {counts}")
    bad = dict(parsed.bad)
    columns = {
        name: column(values, name, bad, encoding=encoding) if isinstance(values, list) else values
        for name, values in parsed.columns.items()
    }
    return replace(parsed, columns=columns, bad=bad)


def _load_folder(
    folder: Path, modality: Modality, columns: Mapping[str, str], layout: Layout
) -> Content:
    if not folder.is_dir():
        raise DataError(f"{folder.name}: is a file, but data.format is 'folder'")
    if not modality.suffixes:
        raise DataError(
            f"{folder.name}: {modality.name} is not read from a folder of files; "
            f"{_files_instead(folder)}"
        )
    name = folder.resolve().name
    metadata = [folder / each for each in METADATA if (folder / each).is_file()]
    if len(metadata) > 1:
        raise DataError(f"{name}: holds {' and '.join(each.name for each in metadata)}; keep one")
    if metadata:
        return _metadata_folder(folder, name, metadata[0], modality, columns, layout=layout)
    if modality.branches:
        raise DataError(
            f"{name}: a folder holds several modalities where a {METADATA[0]} in it has a column "
            "for each; a folder of classes holds one"
        )
    return _class_folder(folder, name, modality, columns)


def _files_instead(folder: Path) -> str:
    """What to write for a folder that holds a file of rows for each split."""
    known = endings_of(CORE)
    held = {each.stem: each for each in sorted(folder.iterdir()) if each.suffix in known}
    splits = [held[split] for split in ("train", "validation", "test") if split in held]
    if not splits:
        return "give a file of rows"
    named = ", ".join(f"{each.stem}: {each}" for each in splits)
    return f"give a file of rows for each split, as data: {{{named}}}"


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
    layout: Layout,
) -> Content:
    first = _file_column(modality)
    parsed = _parse(metadata, endings_of(CORE)[metadata.suffix], layout)
    own = first if modality.branches and first in parsed.columns else "file_name"
    source = columns.get(first, own)
    if source not in parsed.columns:
        there = ", ".join(parsed.columns)
        raise DataError(f"{name}/{metadata.name}: column {source!r} is missing; it holds: {there}")
    content = _content(name, parsed, modality, {**columns, first: source}, folder)
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
    content = _content(name, parsed, modality, columns, folder)
    return replace(content, paths=[shown_name(path) for path in paths], notes=tuple(notes))


def _notes(name: str, parsed: Parsed) -> Iterator[str]:
    """Note what a person should know of how a file was read."""
    yield from (f"{name}: {note}" for note in parsed.notes)
    for what, (count, first) in parsed.warnings.items():
        places = ", ".join(f"row {row + 1}" for row in first) + (
            ", ..." if count > len(first) else ""
        )
        yield f"{name}: {count} {'row' if count == 1 else 'rows'}: {what}; {places}"


def _content(
    name: str,
    parsed: Parsed,
    modality: Modality,
    columns: Mapping[str, str],
    folder: Path | None,
) -> Content:
    """Give columns our names."""
    unknown = [(ours, theirs) for ours, theirs in columns.items() if theirs not in parsed.columns]
    if unknown:
        lines = [
            f"{name}: data.columns: {ours}: there is no column {theirs!r}; "
            f"{did_you_mean(theirs, parsed.columns)}"
            for ours, theirs in unknown
        ]
        raise DataError("\n".join(lines))
    renamed = {ours: parsed.columns[theirs] for ours, theirs in columns.items()}
    kept = {own: values for own, values in parsed.columns.items() if own not in columns.values()}
    named = {**kept, **renamed}
    raw = tuple(each for each in modality.columns if each in named)
    return Content(
        name=name,
        columns=named,
        raw=raw,
        bad=parsed.bad,
        folder=folder,
        suffixes=modality.suffixes,
        branches={
            branch: RawColumns(each.columns_as(branch), each.suffixes)
            for branch, each in modality.branches.items()
        },
        notes=tuple(_notes(name, parsed)),
        called={ours: theirs for ours, theirs in columns.items() if ours != theirs},
        kind=parsed.kind,
        key=parsed.key
        and fingerprint({"content": parsed.key, "raw": [columns.get(each, each) for each in raw]}),
    )
