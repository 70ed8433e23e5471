"""Contents from what was parsed: columns under our names, notes, and several files as one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.formats import Parsed
from multigraft.contracts.readers import fingerprint
from multigraft.contracts.records import Modality
from multigraft.data.cache.content import Content, Member, RawColumns, names_file
from multigraft.data.sources.columns import Column, Pieces, take
from multigraft.errors import DataError, did_you_mean

LIKE = 3
"""So many files are named of several."""


def content_of(
    name: str,
    parsed: Parsed,
    modality: Modality,
    columns: Mapping[str, str],
    folder: Path | None,
) -> Content:
    """Give columns our names. Raises DataError where one that is named is not there."""
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


def _notes(name: str, parsed: Parsed) -> Iterator[str]:
    """Note what a person should know of how a file was read."""
    yield from (f"{name}: {note}" for note in parsed.notes)
    for what, (count, first) in parsed.warnings.items():
        places = ", ".join(f"row {row + 1}" for row in first) + (
            ", ..." if count > len(first) else ""
        )
        yield f"{name}: {count} {'row' if count == 1 else 'rows'}: {what}; {places}"


def joined(contents: Sequence[Content], modality: Modality, files: Sequence[str]) -> Content:
    """Join the contents of several files, one behind the other; of one, itself.

    A column that a file lacks is empty in its rows, and that is noted. ``files`` are further
    columns that name files: where files lie in several folders, their names become whole.
    """
    if len(contents) == 1:
        return contents[0]
    bases = {content.base for content in contents}
    if len(bases) > 1:
        contents = [_with_whole_names(content, files) for content in contents]
    base = next(iter(bases)) if len(bases) == 1 else _common({each for each in bases if each})
    starts = np.cumsum([0, *map(len, contents)]).tolist()
    names = list(dict.fromkeys(name for content in contents for name in content.columns))
    counts = [len(content) for content in contents]
    columns: dict[str, Column] = {
        name: Pieces([content.columns.get(name) for content in contents], counts) for name in names
    }
    bad = {
        start + row: why
        for start, content in zip(starts, contents, strict=False)
        for row, why in content.bad.items()
    }
    called = {ours: theirs for content in contents for ours, theirs in content.called.items()}
    return replace(
        contents[0],
        name=_name(contents),
        columns=columns,
        raw=tuple(each for each in modality.columns if each in columns),
        bad=bad,
        paths=None,
        members=tuple(Member(c.name, len(c), c.kind, c.paths) for c in contents),
        folder=base if modality.suffixes else None,
        base=base,
        notes=(*(note for c in contents for note in c.notes), *_lacking(contents, names)),
        called=called,
        key=None,
    )


def _name(contents: Sequence[Content]) -> str:
    """A name for several files: the first ones', and how many there are."""
    shown = ", ".join(content.name for content in contents[:LIKE])
    more = len(contents) - LIKE
    return f"{shown} and {more} more" if more > 0 else shown


def _lacking(contents: Sequence[Content], names: Sequence[str]) -> Iterator[str]:
    for content in contents:
        if lacks := [name for name in names if name not in content.columns]:
            told = ", ".join(map(repr, lacks))
            yield f"{content.name}: lacks what other files have, and is empty there: {told}"


def _common(folders: set[Path]) -> Path:
    return Path(os.path.commonpath([each.resolve() for each in folders]))


def _with_whole_names(content: Content, files: Sequence[str]) -> Content:
    """The content with names of files from the root; one that leads out stays, to be refused."""
    if content.base is None:
        return content
    base = content.base.resolve()

    def whole(name: str, value: Any) -> Any:
        named = name in files or names_file(content, name, value)
        relative = named and isinstance(value, str) and ".." not in Path(value).parts
        return str(base / value) if relative else value

    columns = dict(content.columns)
    for name in {*content.raw, *files} & columns.keys():
        cells = take(columns[name], np.arange(len(content)))
        columns[name] = [whole(name, value) for value in cells]
    return replace(content, columns=columns)
