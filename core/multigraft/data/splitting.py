"""Dividing rows: by share, in the labels' proportions, and with groups kept together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.data.labelling import Labelling, codes, labelling
from multigraft.data.sources.table import Table, require
from multigraft.errors import DataError, did_you_mean, shown
from multigraft.recipe import Split

SPLIT, LIMIT = 1, 2
"""What a generator is for; part of its seed."""


def split_table(
    table: Table, split: Split, *, labels: Sequence[Any] | None, seed: int
) -> tuple[Table, Table, Table]:
    """Divide into training, validation and test rows; a part whose share is 0 stays empty.

    With ``labels`` (and `Split.stratify`) every part has their shares, and training has each label
    at least once; a held-out part of several rows has more than one label where rows of another are
    left for it. A tuple holds several labels, and its row is drawn by the rarest of them. With
    `Split.group` no group is in two parts; rows without one count as one group. The same rows and
    seed give the same parts. Raises DataError where a part would be empty.
    """
    rng = np.random.default_rng([seed, SPLIT])
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    wanted = 1 + int(split.validation > 0) + int(split.test > 0)
    if shares[0] < 1e-9:
        raise DataError(
            "data.split: validation and test together leave nothing for training; lower them"
        )
    labelled = labelling(labels if split.stratify else None, len(table))
    if split.group is not None:
        require(table, (split.group,))
        groups = codes(table.cells(split.group))
        _need(table, "groups", int(groups.max(initial=-1)) + 1, wanted)
        part = _divide_groups(groups, labelled, shares, rng)
    else:
        _need(table, "rows", len(table), wanted)
        part = _divide_rows(table, labelled, shares, rng, labels=labels)
    train, validation, test = (table.select(np.flatnonzero(part == number)) for number in range(3))
    return train, validation, test


def limit_rows(table: Table, count: int, *, labels: Sequence[Any] | None, seed: int) -> Table:
    """Draw ``count`` rows in the labels' shares, at least one of each label where ``count``
    allows."""
    if count >= len(table):
        return table
    rng = np.random.default_rng([seed, LIMIT])
    labelled = labelling(labels, len(table))
    order = _by_class(labelled.classes, rng)
    first = labelled.cover(order)
    if len(first) > count:
        return table.select(np.sort(_spread(order, count, rng)))
    rest = np.delete(order, first)
    chosen = np.concatenate([order[first], _spread(rest, count - len(first), rng)])
    return table.select(np.sort(chosen))


def hold_out(table: Table, wanted: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    """Leave-one-domain-out: the rows whose cells are among those ``wanted`` of every column as
    ``test``, and the others as ``train``.

    Raises DataError where a value has no row, or all rows do.
    """
    require(table, tuple(wanted))
    held = np.ones(len(table), dtype=bool)
    for column, values in wanted.items():
        cells = np.array(["" if cell is None else str(cell) for cell in table.cells(column)])
        for value in values:
            if not (cells == value).any():
                raise DataError(
                    f"data.split.hold_out.{column}: no row of {table.name} has {shown(value)} "
                    f"there; {did_you_mean(value, sorted(set(cells.tolist())))}"
                )
        held &= np.isin(cells, list(values))
    if held.all() or not held.any():
        which = "every row" if held.any() else "no row"
        raise DataError(
            f"data.split.hold_out: names {which} of {table.name}; name some of the domains"
        )
    return {
        "train": table.select(np.flatnonzero(~held)),
        "test": table.select(np.flatnonzero(held)),
    }


def _need(table: Table, what: str, found: int, wanted: int) -> None:
    if found < wanted:
        raise DataError(
            f"{table.name}: {found} {what} cannot make {wanted} parts; give data.validation and "
            "data.test files of their own, or set their share under data.split to 0"
        )


def _by_class(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row numbers, class after class, in random order within each."""
    shuffled = rng.permutation(len(classes))
    return shuffled[np.argsort(classes[shuffled], kind="stable")]


def _spread(order: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` of the rows in ``order`` at equal distances (systematic sampling).

    Over rows sorted by class this takes each class in its share, to within one row.
    """
    if not count:
        return order[:0]
    return order[((np.arange(count) + rng.random()) * (len(order) / count)).astype(np.int64)]


def _divide_rows(
    table: Table,
    labelled: Labelling,
    shares: np.ndarray,
    rng: np.random.Generator,
    *,
    labels: Sequence[Any] | None,
) -> np.ndarray:
    """The part (0 training, 1 validation, 2 test) of each row."""
    classes = labelled.classes
    order = _by_class(classes, rng)
    free = np.delete(order, labelled.cover(order))
    part = np.zeros(len(classes), dtype=np.int64)
    for number in (2, 1):
        if shares[number] == 0:
            continue
        count = max(1, round(len(classes) * float(shares[number])))
        if count > len(free):
            raise DataError(
                f"{table.name}: {len(classes)} rows with {labelled.labels.max() + 1} labels are "
                f"too few: every label needs a row in training, and {count} rows must be held out; "
                "lower the shares under data.split, or set data.split.stratify: false"
                + _numbers_hint(labels or ())
            )
        part[_mixed(_spread(free, count, rng), free, classes)] = number
        free = free[part[free] == 0]
    return part


def _numbers_hint(labels: Sequence[Any]) -> str:
    """What to do where labels are measured numbers, which hardly ever agree; else nothing.

    >>> _numbers_hint(["0.25", "cat"]), _numbers_hint(["3", 4])
    ('', '')
    """
    if all(map(_is_number, labels)) and any(float(label) % 1 for label in labels):
        return "; numbers with decimals are learned by a task of regression"
    return ""


def _is_number(label: Any) -> bool:
    try:
        return math.isfinite(float(label))
    except (TypeError, ValueError):
        return False


def _mixed(drawn: np.ndarray, free: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """``drawn`` with its last row exchanged for a ``free`` one of the most frequent other class, if
    all are of one: a score on one label alone says little."""
    others = free[classes[free] != classes[drawn[0]]]
    if len(drawn) == 1 or not len(others) or np.any(classes[drawn] != classes[drawn[0]]):
        return drawn
    most = np.bincount(classes[others]).argmax()
    return np.append(drawn[:-1], others[classes[others] == most][0])


def _divide_groups(
    groups: np.ndarray, labelled: Labelling, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The part of each row. The largest group first, each goes where it lowers the squared distance
    to the wanted count of every label most; the last groups fill parts that are still empty."""
    content = np.zeros((groups.max() + 1, labelled.labels.max(initial=0) + 1))
    np.add.at(content, (groups[labelled.rows], labelled.labels), 1)
    content /= np.maximum(content.sum(0), 1)
    need = shares[:, None] * np.ones(content.shape[1])
    order = rng.permutation(len(content))
    order = order[np.argsort(-content[order].sum(1), kind="stable")]
    wanted: list[int] = np.flatnonzero(shares > 0).tolist()
    empty = set(wanted)
    chosen = np.zeros(len(content), dtype=np.int64)
    for left, group in zip(range(len(order), 0, -1), order.tolist(), strict=True):
        open_parts = sorted(empty if left <= len(empty) else wanted)
        best = open_parts[int(np.argmax(need[open_parts] @ content[group]))]
        chosen[group] = best
        need[best] -= content[group]
        empty.discard(best)
    return chosen[groups]
