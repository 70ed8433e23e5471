"""File formats: how a file of rows is read, and what a reader of one gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

Quotes = Literal["auto", "on", "off"]
UTF8 = "UTF-8"
AUTO = "auto"
"""An encoding that is found for each file (see `multigraft.data.sources.encodings`)."""


@dataclass(frozen=True)
class Layout:
    """Layout of text files, as far as the file cannot say it and a recipe does."""

    encoding: str = UTF8
    """Of text; a format's `read` is always told one that Python knows."""
    quotes: Quotes = "auto"
    """Whether quotes enclose a cell of a CSV file, or are text like any other sign.

    ``auto``: they enclose, but where tabs separate the cells, and the header is not quoted either.
    """


PLAIN = Layout()
Warnings: TypeAlias = dict[str, tuple[int, list[int]]]
"""What should be looked at -> in how many rows, and the first of them."""


@dataclass(frozen=True)
class Parsed:
    """A parsed file: columns by its own names, and the rows that cannot be decoded."""

    columns: dict[str, Any]
    """Name -> a value a row, as a list or an Arrow array; None for an empty cell."""
    bad: dict[int, str] = field(default_factory=dict)
    """Rows that cannot be used, counted from 0, and why."""
    warnings: Warnings = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What a person should know about the file as a whole."""
    key: str | None = None
    """What names this content in the cache; None where it is not kept there."""
    kind: str = "row"
    """What one row is called in its place, as ``sentence``."""
    folder: Path | None = None
    """Where relative names of files start; None: beside the file, or in the folder that was
    read."""
    paths: Sequence[str] | None = None
    """Where a row is a file: its name, for its place."""


@dataclass(frozen=True)
class Chunk:
    """A chunk of consecutive rows of a file. ``bad`` counts rows from the file's first."""

    columns: Mapping[str, Any]
    """Name -> a value a row, as in `Parsed`."""
    rows: int
    bad: Mapping[int, str] = field(default_factory=dict)
    warnings: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """What should be looked at -> in which rows, counted as in ``bad``."""
    notes: Sequence[str] = ()
    """What a person should know about the file as a whole."""
    folder: Path | None = None
    """Where relative names of files start; None: beside the file."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file that holds rows: by its endings, or asked for by name as ``data.format``."""

    name: str
    endings: tuple[str, ...]
    """In lower case with their dot, as ``(".csv", ".tsv")``. No two formats have one in common."""
    read: Callable[[Path, Layout], Parsed]
    """Read a file. Raises DataError, or whatever it meets, for what is no such file; a row that
    alone is wrong goes to `Parsed.bad`."""
    folders: bool = False
    """Whether `read` takes a folder too, where it is asked for by name."""
    text: bool = True
    """Whether it is text, whose encoding is found where a recipe names none."""
    chunks: Callable[[Path, Layout], Iterator[Chunk]] | None = None
    """Read a file some rows at a time, for corpora larger than memory; None: it is read whole."""
