"""Inputs of ``predict``: texts, paths, lines of stdin, and rows of tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from multigraft.errors import DataError, RowError, did_you_mean

if TYPE_CHECKING:
    from multigraft.contracts.formats import Format
    from multigraft.contracts.records import Modality
    from multigraft.data.sources.table import Table
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime.bundle import Bundle

LINES = ".txt"
LINES_BYTES = 2**30
"""The most of a file of lines, which is in memory whole."""
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
"""The endings of the tables that core reads; plugins bring more."""


@dataclass(frozen=True)
class Input:
    """An input value, how it is shown, and what is wrong with it where nothing can be asked."""

    value: Any
    shown: Any
    error: str = ""


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
        asked=asked,
    )
    task = {each.name: each for each in catalog.tasks()}.get(bundle.task)
    if task is None or task.rows is None:
        return tables
    from multigraft.contracts.options import defaults
    from multigraft.data import rewrite_of
    from multigraft.runtime.manifest import TASK_OPTIONS

    told = bundle.facts.get(TASK_OPTIONS)  # not in bundles of earlier versions
    options = {name: told[name] for name in task.options if name in told} if told else {}
    rewrite = rewrite_of(task, {**defaults(task.options), **options})
    blank = dict.fromkeys(task.columns)  # what is to be answered needs no target, nor a right one
    return replace(tables, rewrite=rewrite and (lambda row: rewrite({**row, **blank})))


def gather(
    arguments: Sequence[str], modality: Modality, *, stdin: bool, tables: Tables = PLAIN
) -> list[Input]:
    """The inputs in order, the lines of stdin where ``-`` stands or at the end.

    A table's name stands for its rows. Where a text is wanted, the name of any other file or folder
    is refused: nobody means the name's letters. A line of stdin is always the value itself.
    """
    found: list[Input] = []
    for argument in [*arguments, *(["-"] if stdin and "-" not in arguments else [])]:
        if argument == "-" and modality.branches:
            found += [_of_branches(line, modality) for line in read_lines()]
        elif argument == "-":
            found += [Input(line, line) for line in read_lines()]
        else:
            found += _meant(argument, modality, tables)
    return found


def read_lines() -> list[str]:
    """Read the lines of stdin, ended by newlines alone; what is no UTF-8 becomes surrogates."""
    if sys.stdin is None:
        raise RowError("stdin is closed")
    binary = getattr(sys.stdin, "buffer", None)
    content = sys.stdin.read() if binary is None else binary.read()
    return split_lines(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )


def split_lines(content: bytes) -> list[str]:
    r"""Split at newlines, blank lines too, so that there are as many answers as lines.

    >>> split_lines(b"a\r\n\n\x0cb\xc2\x85c")
    ['a', '', '\x0cb\x85c']
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r").decode("utf-8", "surrogateescape") for line in lines]


def _meant(argument: str, modality: Modality, tables: Tables) -> Iterator[Input]:
    """What an argument stands for."""
    typed = not modality.suffixes
    path = Path(argument)
    ending = path.suffix.lower()
    spaced = any(sign.isspace() for sign in argument)
    if typed and not argument:
        yield Input(argument, argument)
    elif modality.branches and not (ending in tables.endings or _is_folder(path)):
        yield _of_branches(argument, modality)
    elif typed and ending == LINES and _is_there(path):
        yield from (Input(line, line) for line in split_lines(_content(path)))
    elif (ending in tables.endings and (_is_there(path) or not spaced)) or (
        not typed and _is_folder(path)
    ):
        yield from _rows(path, modality, tables)
    elif typed and (_is_there(path) or (argument[:1] == "@" and _is_there(Path(argument[1:])))):
        raise typer.BadParameter(
            f"{argument!r} names a {'folder' if _is_folder(path) else 'file'} here, and a text is "
            f"wanted: {', '.join((*tables.endings, LINES))} are read row by row; a text of these "
            "very letters can be given on stdin, with -"
        )
    else:
        yield Input(argument, argument)


def _of_branches(argument: str, modality: Modality) -> Input:
    """A value of several branches, written as JSON."""
    try:
        value = json.loads(argument)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        wanted = ", ".join(f'"{branch}": ...' for branch in modality.branches)
        return Input(None, argument, f"is no value of several branches: write {{{wanted}}} as JSON")
    return Input(value, argument)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a long text, or one with a NUL
        return False


def _is_folder(path: Path) -> bool:
    return _is_there(path) and path.is_dir()


def _content(path: Path) -> bytes:
    from multigraft.contracts.readers import row_bytes

    return row_bytes(path, limit=LINES_BYTES)


def _rows(path: Path, modality: Modality, tables: Tables) -> Iterator[Input]:
    """The raw values of a table or a folder; a row that has none keeps its place."""
    from multigraft.data import load_table
    from multigraft.data.sources.load import CORE
    from multigraft.data.sources.naming import on_command_line
    from multigraft.data.sources.rewriting import rewritten
    from multigraft.data.sources.table import require

    formats = tables.formats or CORE
    modality = replace(modality, columns=tables.columns or modality.columns)
    load = partial(load_table, str(path), modality=modality, formats=formats, raw=False)
    table = load(columns={})
    _check_asked(tables.asked, table)
    if named := {**_other_names(tables.names, table.columns), **tables.asked}:
        table = load(columns=named)
    needed = {*modality.required, *tables.columns}
    if tables.rewrite is not None and not needed <= set(table.columns):
        table = rewritten(table, tables.rewrite, modality.columns, on_command_line)
    require(table, modality.required, on_command_line)
    for index in range(len(table)):
        place = table.place(index)
        try:
            value = table.raw(index)
        except RowError as error:
            yield Input(None, place, str(error))
        else:
            texts = value if isinstance(value, tuple) else (value,)
            yield Input(value, value if all(isinstance(each, str) for each in texts) else place)


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


def _other_names(names: Mapping[str, str], there: Sequence[str]) -> dict[str, str]:
    """Those of the names that a table without ours has.

    >>> _other_names({"text": "review", "label": "mood"}, ["review", "id"])
    {'text': 'review'}
    """
    return {ours: theirs for ours, theirs in names.items() if theirs in there and ours not in there}
