"""Parse a file by its format: its columns, the encoding of its text, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from multigraft.contracts.formats import AUTO, UTF8, Format, Layout, Parsed
from multigraft.data.sources.cells import column
from multigraft.data.sources.encodings import by_mark, other_encoding, read_as, western
from multigraft.errors import DataError, refused_as
from multigraft.plugins import builtin

CORE = tuple(builtin.register_formats())
"""The formats that core brings."""


def endings_of(formats: Sequence[Format]) -> dict[str, Format]:
    """The formats by their endings."""
    return {ending: each for each in formats for ending in each.endings}


def parse(file: Path, kind: Format, layout: Layout) -> Parsed:
    """Parse a file's columns. Whatever a reader meets is the file's fault: a DataError.

    Where its encoding is to be found (`AUTO`): what its first bytes say, or UTF-8, or cp1252 where
    it reads as western text in it, and is no UTF-8. All but UTF-8 is noted.
    """
    with refused_as(DataError, f"{file.name}: cannot be read"):
        if layout.encoding != AUTO:
            return _parse(file, kind, layout)
        if not (kind.text and file.is_file()):
            return _parse(file, kind, replace(layout, encoding=UTF8))
        return _in_found_encoding(file, kind, layout)


def _in_found_encoding(file: Path, kind: Format, layout: Layout) -> Parsed:
    found = by_mark(file)
    if found is None:
        try:
            parsed = _parse(file, kind, replace(layout, encoding=UTF8))
        except DataError:
            found = western(file)
            if found is None:
                raise
        else:
            found = western(file) if parsed.bad else None
            if found is None:
                return parsed
    parsed = _parse(file, kind, replace(layout, encoding=found))
    return replace(parsed, notes=[read_as(file, found), *parsed.notes])


def _parse(file: Path, kind: Format, layout: Layout) -> Parsed:
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
