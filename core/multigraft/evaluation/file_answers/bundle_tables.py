"""Tables as a bundle reads them: which columns hold its values, by whose names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.contracts.formats import AUTO, Layout
from multigraft.errors import DataError, did_you_mean
from multigraft.system.file_endings import TABLES
from multigraft.system.files import expanded

if TYPE_CHECKING:
    from multigraft.contracts.formats import Format
    from multigraft.contracts.records import Modality
    from multigraft.data.sources.several import Source
    from multigraft.data.sources.table import Table
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime.bundle import Bundle

LINES = ".txt"
"""The ending of what is read a line a row."""


@dataclass(frozen=True)
class Tables:
    """How files of rows are read."""

    formats: Sequence[Format] = ()
    """Those that are known; none: core's."""
    rewrite: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """The task's `Task.rows`, for rows that do not hold the raw value as it is."""
    columns: tuple[str, ...] = ()
    """Those of the bundle's values; none: the modality's."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Our names of columns -> those of the training table, taken where a table has them."""
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Our names of columns that several of the training table made up -> those."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Our names of columns -> theirs, as a person says."""

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of their files."""
        return tuple(ending for each in self.formats for ending in each.endings) or TABLES


PLAIN = Tables()


def tables_of(
    bundle: Bundle, modality: Modality, catalog: Catalog, asked: Mapping[str, str]
) -> Tables:
    """How a bundle's rows are read, with what is installed here; ``asked`` are names of columns."""
    from multigraft.runtime.describing import columns
    from multigraft.runtime.manifest import COLUMNS

    tables = Tables(
        catalog.formats(),
        columns=columns(bundle, modality),
        names=_names_in(bundle.facts.get(COLUMNS)),
        lists=_lists_in(bundle.facts.get(COLUMNS)),
        asked=asked,
    )
    task = {each.name: each for each in catalog.tasks()}.get(bundle.task)
    if task is None or task.rows is None:
        return tables
    from multigraft.data import rewrite_of
    from multigraft.runtime.task_options import task_options

    rewrite = rewrite_of(task, task_options(bundle, task))
    blank = dict.fromkeys(task.columns)  # what is to be answered needs no target, nor a right one
    return replace(tables, rewrite=rewrite and (lambda row: rewrite({**row, **blank})))


def read_tables(path: Source, modality: Modality, tables: Tables) -> tuple[Table, Table]:
    """A table as its file has it, and as the bundle's values: the same rows in the same order.

    Raises DataError where it cannot be read, or lacks a column.
    """
    from multigraft.data import load_table
    from multigraft.data.sources.gathering import gatherers
    from multigraft.data.sources.naming import on_command_line
    from multigraft.data.sources.parsing import CORE
    from multigraft.data.sources.rewriting import rewritten
    from multigraft.data.sources.table import require

    formats = tables.formats or CORE
    modality = replace(modality, columns=tables.columns or modality.columns)
    load = partial(
        load_table, path, modality=modality, formats=formats, layout=Layout(AUTO), raw=False
    )
    own = table = load(columns={}, lists=None)
    _check_asked(tables.asked, table)
    named = {**_other_names(tables.names, table.columns), **tables.asked}
    if named or gatherers(modality):
        table = load(columns=named, lists=tables.lists)
    needed = {*modality.required, *tables.columns}
    if tables.rewrite is not None and not needed <= set(table.columns):
        table = rewritten(table, tables.rewrite, modality.columns, on_command_line)
    require(table, modality.required, on_command_line)
    return own, table


def line_table(path: str | Path, modality: Modality) -> Table | None:
    """The lines of a ``.txt`` as rows, blank ones too, so that there are as many answers as lines;
    None for any other file, and where values are files themselves."""
    from multigraft.contracts.formats import Parsed
    from multigraft.data.sources.contents import content_of
    from multigraft.data.sources.encodings import by_mark, western
    from multigraft.data.sources.table import whole

    file = expanded(path)
    if file.suffix.lower() != LINES or modality.suffixes or modality.branches:
        return None
    if not file.is_file():
        raise DataError(f"{path}: does not exist")
    encoding = by_mark(file) or western(file) or "utf-8-sig"
    with file.open(encoding=encoding, errors="surrogateescape", newline="\n") as text:
        lines = text.read().split("\n")
    values = [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]
    return whole(content_of(file.name, Parsed({modality.columns[0]: values}), modality, {}, None))


def _check_asked(asked: Mapping[str, str], table: Table) -> None:
    """Raise DataError for a column that a person names, and the table does not have."""
    for ours, theirs in asked.items():
        if theirs not in table.columns:
            raise DataError(
                f"{table.name}: --columns {ours}={theirs}: there is no column {theirs!r}; "
                f"{did_you_mean(theirs, table.columns)}"
            )


def _names_in(told: Any) -> dict[str, str]:
    """A manifest's names of columns, which anybody may have written; none where it has none."""
    pairs = told.items() if isinstance(told, Mapping) else ()
    return {ours: theirs for ours, theirs in pairs if isinstance(theirs, str)}


def _lists_in(told: Any) -> dict[str, list[str]]:
    """A manifest's columns that several make up, which anybody may have written."""
    pairs = told.items() if isinstance(told, Mapping) else ()
    return {ours: list(map(str, each)) for ours, each in pairs if isinstance(each, list)}


def _other_names(names: Mapping[str, str], there: Sequence[str]) -> dict[str, str]:
    """Those of the names that a table without ours has.

    >>> _other_names({"text": "review", "label": "mood"}, ["review", "id"])
    {'text': 'review'}
    """
    return {ours: theirs for ours, theirs in names.items() if theirs in there and ours not in there}
