"""Heat map of transfer: source by target, coloured by the metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from multigraft.contracts.numbers import figure, interval
from multigraft.experiments.summary import Summary
from multigraft.experiments.transfer import Transfer, transfers
from multigraft.experiments.written import told


@dataclass(frozen=True)
class Shade:
    """A square of a heat map."""

    value: str
    interval: str
    share: float
    """How deep its colour is, from 0 to 1."""
    said: str
    own: bool
    negative: bool


@dataclass(frozen=True)
class HeatMap:
    """Sources (lines) by targets."""

    title: str
    targets: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Shade | None, ...]], ...]


def heat_maps(summary: Summary) -> Iterator[HeatMap]:
    """A map for each combination of what varies besides the data, all on one scale of colour."""
    found = [each for each in transfers(summary) if each.group.left_out is None]
    values = [each.estimate.value for each in found]
    sources = {each.source for each in found}
    if len(sources) < 2 or len(summary.domains) < 2:
        return
    for name, some in groupby(sorted(found, key=_name), _name):
        lines = [
            (source, _shades(summary, list(line), values))
            for source, line in groupby(some, lambda each: each.source)
        ]
        title = f"{summary.metric}: {name}" if name else str(summary.metric)
        yield HeatMap(title, tuple(summary.domains), tuple(lines))


def _name(each: Transfer) -> str:
    return each.group.name


def _shades(
    summary: Summary, line: Sequence[Transfer], values: Sequence[float]
) -> tuple[Shade | None, ...]:
    by_target = {each.target: each for each in line}
    return tuple(
        _shade(by_target[target], values) if target in by_target else None
        for target in summary.domains
    )


def _shade(each: Transfer, values: Sequence[float]) -> Shade:
    low, high = min(values), max(values)
    share = (each.estimate.value - low) / (high - low) if high > low else 0.5
    more = [
        f"minus {name} {told(gap)}"
        for name, gap in (("its own model", each.over_own), ("scratch", each.over_scratch))
        if gap is not None
    ]
    return Shade(
        value=figure(each.estimate.measure),
        interval=interval(each.estimate.measure),
        share=0.05 + 0.85 * (share if each.greater_is_better else 1 - share),
        said="; ".join([f"{each.source} on {each.target}: {told(each.estimate)}", *more]),
        own=each.source == each.target,
        negative=each.negative,
    )
