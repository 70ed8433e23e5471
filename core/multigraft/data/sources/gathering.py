"""Gathered columns: many columns of a table as one raw value, a mapping from name to cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from multigraft.contracts.readers import fingerprint
from multigraft.contracts.records import Modality
from multigraft.data.cache.content import Content
from multigraft.data.sources.columns import Column, Gathered, cell
from multigraft.data.sources.naming import written
from multigraft.errors import DataError, did_you_mean

ID = "id"
"""The column that names rows, which is no part of a value."""
LOOKED_AT = 100
"""Cells that are looked at for a mapping."""


def gatherers(modality: Modality) -> tuple[str, ...]:
    """The columns of ours that many columns of a table make up."""
    own = modality.branches or {modality.columns[0]: modality}
    return tuple(name for name, each in own.items() if each.gathers)


def gathered(
    content: Content,
    modality: Modality,
    lists: Mapping[str, Sequence[str]],
    apart: Collection[str],
) -> Content:
    """The content with the columns of each gathering modality as one.

    ``lists`` names a value's columns; one that is not named there has all that nothing else reads:
    no other branch, and nothing in ``apart``. A column that holds mappings already stays as it is.
    Raises DataError.
    """
    chosen = {
        into: names
        for into in gatherers(modality)
        if (names := _names(content, modality, into, lists, apart)) is not None
    }
    if not chosen:
        return content
    taken = {name for names in chosen.values() for name in names} - set(apart)
    columns: dict[str, Column] = {
        name: values for name, values in content.columns.items() if name not in taken
    }
    for into, names in chosen.items():
        columns[into] = Gathered({name: content.columns[name] for name in names})
    return replace(
        content,
        columns=columns,
        raw=tuple(each for each in modality.columns if each in columns),
        gathered=chosen,
        key=content.key and fingerprint({"content": content.key, "gathered": chosen}),
    )


def _names(
    content: Content,
    modality: Modality,
    into: str,
    lists: Mapping[str, Sequence[str]],
    apart: Collection[str],
) -> tuple[str, ...] | None:
    """The columns that one value has; None where one column holds it as it is."""
    if into in lists:
        _check_names(content, into, lists[into])
        return tuple(lists[into])
    if into in content.columns and _holds_mappings(content.columns[into]):
        return None
    if into in content.called:
        one = content.called[into]
        raise DataError(
            f"{content.name}: column {one!r} holds no mapping from column to cell; a list names "
            f"columns: data.columns: {{{into}: [{written(one)}]}}"
        )
    if others := [name for name in gatherers(modality) if name != into and name not in lists]:
        raise DataError(
            f"{content.name}: {into!r} and {others[0]!r} could each have every column; say which: "
            f"data.columns: {{{into}: [...], {others[0]}: [...]}}"
        )
    listed = {name for names in lists.values() for name in names}
    used = {*apart, ID, *listed, *_read_otherwise(modality)}
    if found := tuple(name for name in content.columns if name not in used):
        return found
    there = ", ".join(map(written, content.columns))
    raise DataError(f"{content.name}: no column is left for {into!r}; it holds: {there}")


def _read_otherwise(modality: Modality) -> set[str]:
    """The columns of the branches that gather none."""
    return {
        name
        for branch, each in modality.branches.items()
        if not each.gathers
        for name in each.columns_as(branch)
    }


def _check_names(content: Content, into: str, names: Sequence[str]) -> None:
    lines = [
        f"{content.name}: data.columns: {into}: there is no column {name!r}; "
        f"{did_you_mean(name, content.columns)}"
        for name in names
        if name not in content.columns
    ]
    if lines:
        raise DataError("\n".join(lines))


def _holds_mappings(column: Column) -> bool:
    """Whether the first cell that holds something is a mapping, maybe as JSON."""
    cells = (cell(column, row) for row in range(min(len(column), LOOKED_AT)))
    first: Any = next((each for each in cells if each is not None), None)
    return isinstance(first, Mapping) or (isinstance(first, str) and first.lstrip()[:1] == "{")
