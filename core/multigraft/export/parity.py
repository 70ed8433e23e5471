"""Whether a graph answers as the model does, on real rows in batches it was not traced with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.errors import ExportError
from multigraft.readers import collate
from multigraft.records import Arrays

TOLERANCE = 1e-3
"""Largest difference accepted, as a share of the largest output (but of at least 1)."""
Answers = Callable[[Mapping[str, np.ndarray]], Arrays]


@dataclass(frozen=True)
class Case:
    """A batch to compare on."""

    name: str
    places: tuple[str, ...]
    """Where its rows stand in the data."""
    rows: tuple[Arrays, ...]


def cases(rows: Sequence[Arrays], lengths: Sequence[int], places: Sequence[str]) -> list[Case]:
    """The shortest row alone, the longest alone, and all in one padded batch."""
    order = np.argsort(lengths, kind="stable").tolist()
    chosen = {
        "the shortest row alone": order[:1],
        "the longest row alone": order[-1:],
        "all in a batch": order,
    }
    return [
        Case(name, tuple(places[i] for i in indices), tuple(rows[i] for i in indices))
        for name, indices in chosen.items()
    ]


def check_parity(model: Answers, graph: Answers, trials: Sequence[Case], fills: Mapping[str, float]) -> float:
    """The largest absolute difference of any output. Raises ExportError naming where it is too large."""
    return max(_compare(model, graph, case, fills) for case in trials)


def _compare(model: Answers, graph: Answers, case: Case, fills: Mapping[str, float]) -> float:
    batch = collate(case.rows, fills)
    wanted, found = model(batch), graph(batch)
    return max(_difference(name, wanted[name], found[name], case) for name in wanted)


def _difference(name: str, wanted: np.ndarray, found: np.ndarray, case: Case) -> float:
    where = f"output {name!r}, {case.name} ({len(case.rows)} of {case.places[0]} ...)"
    if wanted.shape != found.shape:
        raise ExportError(f"{where}: the model gives shape {wanted.shape}, the graph {found.shape}")
    expected, answered = wanted.astype(np.float64), found.astype(np.float64)
    if np.isnan(expected).any():
        raise ExportError(f"{where}: the model itself gives NaN")
    with np.errstate(invalid="ignore"):  # inf - inf, where both are the same infinity
        gap = np.where(expected == answered, 0.0, np.abs(expected - answered))
    finite = expected[np.isfinite(expected)]
    limit = TOLERANCE * max(1.0, float(np.abs(finite).max(initial=0.0)))
    if gap.size and not gap.max() <= limit:  # a NaN is not below the limit either
        worst = np.unravel_index(int(np.nanargmax(np.nan_to_num(gap, nan=np.inf))), gap.shape)
        raise ExportError(
            f"the graph does not answer as the model does: {where}, at {tuple(map(int, worst))}, row "
            f"{case.places[int(worst[0])]}: the model gives {expected[worst]:.6g}, the graph "
            f"{answered[worst]:.6g}; at most {limit:.2g} apart is allowed"
        )
    return float(gap.max(initial=0.0))
