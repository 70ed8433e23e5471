"""Parity: whether a graph answers as the model does, on real rows in batches unlike its traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.padding import Fills, axis_names, crop
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError

TOLERANCE = 1e-3
"""The largest difference accepted; see `relative`."""
Answers = Callable[[Mapping[str, np.ndarray]], Arrays]


@dataclass(frozen=True)
class Case:
    """A batch to compare on."""

    name: str
    places: tuple[str, ...]
    """Where its rows stand in the data."""
    rows: tuple[Arrays, ...]
    made: bool = False
    """Whether rows were cut from real ones; where the model fails, the graph is not asked."""


def cases(
    rows: Sequence[Arrays],
    lengths: Sequence[int],
    places: Sequence[str],
    fills: Fills,
) -> list[Case]:
    """Real rows alone, in a batch, beside much padding, and cut to other lengths.

    The last case holds a row of padding alone, as an empty value would be. The model's answer to it
    is nothing to reproduce (torch gives zeros or a mean), but it must be a number, and must not
    spoil the row beside it.
    """
    order = np.argsort(lengths, kind="stable").tolist()
    chosen = {
        "the shortest row alone": order[:1],
        "the longest row alone": order[-1:],
        "all rows in a batch": order,
        "the shortest row beside the longest": [order[0], order[-1]],
    }
    real = [
        Case(name, tuple(places[i] for i in indices), tuple(rows[i] for i in indices))
        for name, indices in chosen.items()
    ]
    return [*real, *_made(rows[order[-1]], places[order[-1]], fills)] if fills else real


def _made(row: Arrays, place: str, fills: Fills) -> list[Case]:
    """The longest row cut to lengths that no row need have."""
    cut = {share: _cut(row, share, fills) for share in (0.6, 0.35)}
    pair = (f"{place}, 60% of it", f"{place}, 35% of it")
    return [
        Case("a row of another length", pair[:1], (cut[0.6],), made=True),
        Case("rows of other lengths in a batch", pair, (cut[0.6], cut[0.35]), made=True),
        Case(EMPTY, (place, "nothing but padding"), (row, _cut(row, 0.0, fills)), made=True),
    ]


EMPTY = "a row of padding alone beside another"


def _cut(row: Arrays, share: float, fills: Fills) -> Arrays:
    """The beginning of a row, less along each further axis: one position at least, or none."""
    shares = {axis: share * 0.8**turn for turn, axis in enumerate(axis_names(fills))}
    return crop(row, fills, lambda axis, size: max(int(share > 0), int(shares[axis] * size)))


def check_parity(model: Answers, graph: Answers, trials: Sequence[Case], fills: Fills) -> float:
    """The largest difference of any output (see `relative`). Raises ExportError naming where."""
    return max(_compare(model, graph, case, fills) for case in trials)


def _compare(model: Answers, graph: Answers, case: Case, fills: Fills) -> float:
    batch = collate(case.rows, fills)
    try:
        expected = model(batch)
    except Exception:
        if case.made:  # cut shorter than the network can take
            return 0.0
        raise
    found = graph(batch)
    return max(_difference(name, expected[name], found[name], case) for name in expected)


def relative(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Absolute differences, over the largest finite number in ``expected`` if that is above 1.

    Equal infinities do not differ; a NaN stays one.

    >>> relative(np.array([0.5, -np.inf]), np.array([0.25, -np.inf])).tolist()
    [0.25, 0.0]
    >>> relative(np.array([200.0, 1.0]), np.array([200.0, 3.0])).tolist()
    [0.0, 0.01]
    """
    reference, answered = expected.astype(np.float64), found.astype(np.float64)
    finite = reference[np.isfinite(reference)]
    with np.errstate(invalid="ignore"):  # inf - inf
        gaps = np.where(reference == answered, 0.0, np.abs(reference - answered))
    shares: np.ndarray = gaps / max(1.0, float(np.abs(finite).max(initial=0.0)))
    return shares


def _difference(name: str, expected: np.ndarray, found: np.ndarray, case: Case) -> float:
    where = f"output {name!r}, {case.name}"
    if expected.shape != found.shape:
        shapes = f"the model gives shape {expected.shape}, the graph {found.shape}"
        raise ExportError(f"{where}: {shapes}")
    if np.isnan(expected.astype(np.float64)).any():
        if case.made:
            return 0.0
        raise ExportError(f"{where}: the model itself gives NaN")
    if case.name == EMPTY:
        _refuse_nan(found[1], where, case)
        expected, found = expected[:1], found[:1]
    if expected.dtype.kind in "iub" and expected.ndim > 1:
        return _share(expected, found, where)
    gaps = np.nan_to_num(relative(expected, found), nan=np.inf)
    largest = float(gaps.max(initial=0.0))
    if largest > TOLERANCE:
        worst = tuple(int(i) for i in np.unravel_index(int(gaps.argmax()), gaps.shape))
        raise ExportError(
            f"the graph does not answer as the model does: {where}, at {worst}, "
            f"{case.places[worst[0]]}: the model gives {expected[worst]:.6g}, the graph "
            f"{found[worst]:.6g}, which is {largest:.2g} of the largest output; at most "
            f"{TOLERANCE:g} is allowed"
        )
    return largest


def _share(expected: np.ndarray, found: np.ndarray, where: str) -> float:
    """The share of whole numbers that differ, as the classes of pixels, in the worst row: where two
    are nearly as likely, rounding decides."""
    differ = (expected != found).reshape(len(expected), -1).mean(1)
    largest = float(differ.max(initial=0.0))
    if largest > TOLERANCE:
        raise ExportError(
            f"the graph does not answer as the model does: {where}: {largest:.2%} of a row's "
            f"numbers differ; at most {TOLERANCE:.1%} may"
        )
    return largest


def _refuse_nan(row: np.ndarray, where: str, case: Case) -> None:
    if np.isnan(row.astype(np.float64)).any():
        raise ExportError(
            f"the graph gives NaN where the model does not: {where}, {case.places[1]}"
        )
