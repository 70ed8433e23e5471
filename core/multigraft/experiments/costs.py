"""Costs of systems beside their metric: seconds of training, milliseconds a row, megabytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from multigraft.experiments.records import Record
from multigraft.experiments.summary import Group, Summary


@dataclass(frozen=True)
class Costs:
    """What a system's cells took, on average; None where that was not measured."""

    seconds: float | None = None
    """Of training one cell."""
    ms: float | None = None
    """Milliseconds in which a row is answered, as it is read and computed in evaluation."""
    megabytes: float | None = None
    """Of weights."""

    def to_dict(self) -> dict[str, float | None]:
        """By what a chart calls them."""
        return {SECONDS: self.seconds, MS: self.ms, MEGABYTES: self.megabytes}


SECONDS, MS, MEGABYTES = "training seconds", "ms a row", "MB"


def costs_of(summary: Summary, groups: Sequence[Group]) -> Costs:
    """What the cells of some groups took."""
    keys = dict.fromkeys(cell.key for group in groups for cell in group.cells)
    records = [summary.records[key] for key in keys if key in summary.records]
    ended = [record for record in records if record.state == "finished"]
    return Costs(
        seconds=_mean(ended, lambda record: record.seconds),
        ms=_mean(ended, lambda record: record.ms),
        megabytes=_mean(ended, lambda record: record.megabytes),
    )


def undominated(
    systems: Mapping[str, tuple[float, Costs]], *, greater: bool, costs: Iterable[str] = ()
) -> set[str]:
    """The Pareto front: systems that no other dominates, by the metric and by ``costs`` (all that
    are known of every system unless given)."""
    every = {name: each.to_dict() for name, (_, each) in systems.items()}
    used = [
        cost
        for cost in costs or Costs().to_dict()
        if all(each[cost] is not None for each in every.values())
    ]
    points = {
        name: (value if greater else -value, *(-float(every[name][cost] or 0) for cost in used))
        for name, (value, _) in systems.items()
    }
    return {
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for other in points.values())
    }


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def _mean(records: Sequence[Record], told: Callable[[Record], float | None]) -> float | None:
    values = [value for record in records if (value := told(record)) is not None]
    return fmean(values) if values else None
