"""A table as a recipe and its task say that it is read: columns named, rows rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.contracts.formats import Format, Layout
from multigraft.contracts.records import Modality
from multigraft.data.sources.load import load_table
from multigraft.data.sources.naming import Naming, in_recipe
from multigraft.data.sources.parsing import CORE, endings_of
from multigraft.data.sources.rewriting import Rewrite, rewritten
from multigraft.data.sources.several import Source
from multigraft.data.sources.table import Table, require
from multigraft.recipe import Data
from multigraft.system.file_endings import ending_of
from multigraft.system.files import expanded

TRAIN, ENDING = "train", "ending"
LAYOUT = ("format", "encoding", "quotes")
"""The fields of a recipe's ``data`` that say how files are written."""


def source_table(
    path: Source,
    data: Data,
    *,
    modality: Modality,
    task_columns: Sequence[str],
    split: str,
    base: Path | None = None,
    files: tuple[str, ...] = (),
    rewrite: Rewrite | None = None,
    formats: Sequence[Format] = CORE,
    naming: Naming = in_recipe,
) -> Table:
    """Read ``path`` with the columns and layout of ``data``; ``split`` is that of a hub set, and
    ``naming`` how a person names columns of it.

    Raises DataError where it cannot be read, or lacks a column.
    """
    table = load_table(
        path,
        format=_format(data, split, path, formats),
        modality=modality,
        columns=data.named,
        base=base,
        split=split,
        layout=Layout(data.encoding, data.quotes),
        files=files,
        formats=formats,
        raw=rewrite is None,
        naming=naming,
        lists=data.listed,
        apart=[*task_columns, *([] if data.split.group is None else [data.split.group])],
    )
    if rewrite is not None:
        table = rewritten(table, rewrite, modality.columns, naming)
    require(table, (*task_columns, *modality.required), naming)
    return table


def gathered_as(data: Data, table: Table) -> Data:
    """``data`` with the columns of each value as they were gathered in ``table``, so that other
    rows are read alike."""
    lists = {into: list(names) for into, names in table.content.gathered.items()}
    return data.model_copy(update={"columns": {**data.columns, **lists}})


def part_of(path: Source, split: str, formats: Sequence[Format] = CORE) -> Source:
    """What a folder holds as that split, as ``test.csv`` or a folder ``test``; else the path.

    Raises nothing: what is no folder, or holds none or several such, is read as it is.
    """
    folder = expanded(path) if isinstance(path, str) else None
    if folder is None or not folder.is_dir():
        return path
    known = endings_of(formats)
    held = [each for each in sorted(folder.iterdir()) if each.stem == split]
    fit = [each for each in held if each.is_dir() or each.suffix.lower() in known]
    return str(fit[0]) if len(fit) == 1 else path


def said_of_source(data: Data) -> dict[str, str]:
    """What a recipe says of how its sources are read, and the ending of the training rows where it
    names their format; nothing where they are read by their ending alone."""
    usual = {name: Data.model_fields[name].default for name in LAYOUT}
    found = {name: said for name in LAYOUT if (said := getattr(data, name)) != usual[name]}
    return {**found, ENDING: _ending(data.train)} if "format" in found else found


def as_said(said: Mapping[str, str], columns: Mapping[str, Any]) -> Data:
    """The section of a recipe that reads other rows so. Raises ValueError for what is no layout."""
    kept: dict[str, Any] = {name: said[name] for name in LAYOUT if name in said}
    train = f"{TRAIN}{said.get(ENDING, '')}"
    return Data.model_validate({**kept, "train": train, "columns": dict(columns)})


def _format(data: Data, split: str, path: Source, formats: Sequence[Format]) -> str:
    """``data.format`` is for the training rows, and for other files with their ending; the rest go
    by their ending if it tells."""
    ending, learned = map(_ending, (path, data.train))
    told = ending in endings_of(formats) and ending != learned
    if split == TRAIN or (not told and data.format in {each.name for each in formats}):
        return data.format
    return "auto"


def _ending(source: Source) -> str:
    """The ending of a source, of several the first's."""
    return ending_of(source if isinstance(source, str) else source[0])
