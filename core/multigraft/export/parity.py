"""Whether a graph answers as the model does, on real rows in batches it was not traced with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.errors import ExportError
from multigraft.readers import collate
from multigraft.records import Arrays

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


def cases(rows: Sequence[Arrays], lengths: Sequence[int], places: Sequence[str]) -> list[Case]:
    """The shortest row alone, the longest row alone, and all rows in one padded batch."""
    order = np.argsort(lengths, kind="stable").tolist()
    chosen = {
        "the shortest row alone": order[:1],
        "the longest row alone": order[-1:],
        "all rows in a batch": order,
    }
    return [
        Case(name, tuple(places[i] for i in indices), tuple(rows[i] for i in indices))
        for name, indices in chosen.items()
    ]


def check_parity(model: Answers, graph: Answers, trials: Sequence[Case], fills: Mapping[str, float]) -> float:
    """The largest difference of any output, as `relative` gives it. Raises ExportError naming where."""
    return max(_compare(model, graph, case, fills) for case in trials)


def _compare(model: Answers, graph: Answers, case: Case, fills: Mapping[str, float]) -> float:
    batch = collate(case.rows, fills)
    wanted, found = model(batch), graph(batch)
    return max(_difference(name, wanted[name], found[name], case) for name in wanted)


def relative(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Absolute differences, divided by the largest finite number in ``wanted`` where that is above 1.

    Equal infinities do not differ; a NaN stays one.

    >>> relative(np.array([0.5, -np.inf]), np.array([0.25, -np.inf])).tolist()
    [0.25, 0.0]
    >>> relative(np.array([200.0, 1.0]), np.array([200.0, 3.0])).tolist()
    [0.0, 0.01]
    """
    expected, answered = wanted.astype(np.float64), found.astype(np.float64)
    finite = expected[np.isfinite(expected)]
    with np.errstate(invalid="ignore"):  # inf - inf
        gaps = np.where(expected == answered, 0.0, np.abs(expected - answered))
    shares: np.ndarray = gaps / max(1.0, float(np.abs(finite).max(initial=0.0)))
    return shares


def _difference(name: str, wanted: np.ndarray, found: np.ndarray, case: Case) -> float:
    where = f"output {name!r}, {case.name}"
    if wanted.shape != found.shape:
        raise ExportError(f"{where}: the model gives shape {wanted.shape}, the graph {found.shape}")
    if np.isnan(wanted.astype(np.float64)).any():
        raise ExportError(f"{where}: the model itself gives NaN")
    gaps = np.nan_to_num(relative(wanted, found), nan=np.inf)
    largest = float(gaps.max(initial=0.0))
    if largest > TOLERANCE:
        worst = tuple(int(i) for i in np.unravel_index(int(gaps.argmax()), gaps.shape))
        raise ExportError(
            f"the graph does not answer as the model does: {where}, at {worst}, {case.places[worst[0]]}: "
            f"the model gives {wanted[worst]:.6g}, the graph {found[worst]:.6g}, which is {largest:.2g} of "
            f"the largest output; at most {TOLERANCE:g} is allowed"
        )
    return largest
