"""Combinations of what varies: the cross product, without those excluded, and the cells listed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from multigraft.errors import did_you_mean
from multigraft.experiments.fields import Grid
from multigraft.experiments.leave_one_out import LEAVE_ONE_OUT, data_names, spelled_out
from multigraft.experiments.values import (
    Choice,
    Combination,
    choices_of,
    is_value,
    label_of,
    several,
)
from multigraft.system.validation import short

DATA, SEED = "data", "seed"
MOST = 10_000
"""The most cells of one experiment."""


def combinations(grid: Grid, problems: list[str]) -> list[Combination]:
    """Every combination of a grid; what is wrong with it is added to ``problems``."""
    crossed, listed = cross_product(grid, problems), listed_cells(grid, problems)
    return [*crossed, *listed] if grid.vary or listed else [{}]


def cross_product(grid: Grid, problems: list[str]) -> list[Combination]:
    """The combinations of what varies, without those excluded."""
    axes = {field: _axis(grid, field, given, problems) for field, given in grid.vary.items()}
    count = 1
    for choices in axes.values():
        count *= len(choices)
    if count > MOST:
        problems.append(f"vary: makes {count:,} cells; at most {MOST:,} are allowed")
        return []
    drawn = product(*axes.values()) if axes else ()
    crossed = [dict(zip(axes, each, strict=True)) for each in drawn]
    return _without(grid, axes, crossed, problems)


def listed_cells(grid: Grid, problems: list[str]) -> list[Combination]:
    """The cells that are listed one by one."""
    return [_listed(grid, place, each, problems) for place, each in enumerate(grid.cells)]


def plain(text: str) -> str:
    """A text as part of a file's name.

    >>> plain("bert weights=/data/minilm")
    'bert-weights-data-minilm'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-.")


def _axis(grid: Grid, field: str, given: Any, problems: list[str]) -> list[Choice]:
    """The values of one field."""
    at = f"vary.{field}"
    if field == DATA and not isinstance(given, Mapping):
        if LEAVE_ONE_OUT in given and len(grid.domains) < 2:
            problems.append(
                f"{at}: {LEAVE_ONE_OUT} needs two domains at least; domains has "
                f"{', '.join(grid.domains) or 'none'}"
            )
            return []
        given = spelled_out(given, grid.domains)
    if field == DATA:
        _known(grid, at, given.values() if isinstance(given, Mapping) else given, problems)
    choices = choices_of(given)
    if not choices:
        problems.append(f"{at}: holds no value; give one at least, or leave the field out")
    labels = [each.label for each in choices]
    problems.extend(
        f"{at}: {label!r} stands there twice; leave one out, or name the values, as "
        "{first: ..., second: ...}"
        for label in sorted({each for each in labels if labels.count(each) > 1})
    )
    return choices


def _known(grid: Grid, at: str, names: Iterable[Any], problems: list[str]) -> None:
    """Domains, and all but one, by their names."""
    known = data_names(grid.domains)
    for name in names:
        if not isinstance(name, str) or name not in known:
            problems.append(
                f"{at}: found {short(name)}; no domain is called so; "
                + did_you_mean(str(name), known)
            )


def _without(
    grid: Grid,
    axes: Mapping[str, Sequence[Choice]],
    crossed: Sequence[Combination],
    problems: list[str],
) -> list[Combination]:
    """The combinations that no exclusion names."""
    rules = [
        (place, rule)
        for place, rule in enumerate(grid.exclude)
        if not _rule_problems(place, rule, axes, problems)
    ]
    for place, rule in rules:
        if not any(_matches(each, rule) for each in crossed):
            problems.append(f"exclude.{place}: no combination is so; leave it out, or correct it")
    return [each for each in crossed if not any(_matches(each, rule) for _, rule in rules)]


def _rule_problems(
    place: int, rule: Mapping[str, Any], axes: Mapping[str, Sequence[Choice]], problems: list[str]
) -> bool:
    found = [
        f"exclude.{place}.{field}: does not vary; {did_you_mean(field, axes)}"
        for field in rule
        if field not in axes
    ]
    for field, wanted in rule.items():
        known = axes.get(field, ())
        for value in several(wanted):
            if known and not any(is_value(each, value) for each in known):
                allowed = did_you_mean(label_of(value), [each.label for each in known])
                found.append(f"exclude.{place}.{field}: found {short(value)}; {allowed}")
    problems += found
    return bool(found) or not rule


def _matches(combination: Combination, rule: Mapping[str, Any]) -> bool:
    return all(
        any(is_value(combination[field], value) for value in several(wanted))
        for field, wanted in rule.items()
    )


def _listed(grid: Grid, place: int, given: Mapping[str, Any], problems: list[str]) -> Combination:
    """A cell that is listed; a label of what varies stands for its value."""
    if DATA in given:
        _known(grid, f"cells.{place}.{DATA}", [given[DATA]], problems)
    return {field: _chosen(grid, field, value) for field, value in given.items()}


def _chosen(grid: Grid, field: str, value: Any) -> Choice:
    known = grid.vary.get(field)
    if isinstance(known, Mapping) and isinstance(value, str) and value in known:
        return Choice(value, known[value])
    return Choice(label_of(value), value)


def fields_of(combinations: Sequence[Combination]) -> Iterator[str]:
    """Every field that some combination sets, each once, in order."""
    yield from dict.fromkeys(field for each in combinations for field in each)
