"""Pareto front: the metric of systems against what they cost, and who is beaten by nobody."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from multigraft.contracts.numbers import quantity
from multigraft.evaluation.report.axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    nice_ticks,
    tick_label,
    value_axis,
)
from multigraft.evaluation.report.svg import svg, text
from multigraft.evaluation.statistics import Estimate
from multigraft.experiments.costs import Costs, undominated
from multigraft.experiments.leaderboard import Leaderboard
from multigraft.experiments.written import told

WIDE = 8
"""Costs that differ by more than this factor are drawn on a log scale."""


@dataclass(frozen=True)
class Dot:
    """A system in the plane of a cost and the metric."""

    place: int
    """In the leaderboard, from 1: what is written beside it."""
    name: str
    cost: float
    estimate: Estimate
    front: bool


def pareto_plots(board: Leaderboard) -> Iterator[tuple[str, str]]:
    """A plot for each cost that is known of two systems at least: its title, and the SVG."""
    for cost in Costs().to_dict():
        dots = _dots(board, cost)
        if len(dots) > 1:
            yield f"{board.metric} against {cost}", pareto_plot(dots, board.metric, cost)


def _dots(board: Leaderboard, cost: str) -> list[Dot]:
    """The systems whose cost is known."""
    costs = {each.name: each.costs.to_dict()[cost] for each in board.entries}
    known = {
        each.name: (each.estimate.value, each.costs)
        for each in board.entries
        if each.estimate is not None and costs[each.name] is not None
    }
    front = undominated(known, greater=board.greater, costs=[cost])
    return [
        Dot(place, each.name, float(costs[each.name] or 0), each.estimate, each.name in front)
        for place, each in enumerate(board.entries, 1)
        if each.name in known and each.estimate is not None
    ]


def pareto_plot(dots: Sequence[Dot], metric: str, cost: str) -> str:
    """Systems as dots with their intervals, the front as steps."""
    across, up = _cost_axis([dot.cost for dot in dots]), _metric_axis(dots)
    label = f"{cost}, log scale" if across.log else cost
    body = [*_grid(across, up, label), _steps(dots, across, up)]
    body += [part for dot in dots for part in _dot(dot, across, up, cost)]
    body += _numbers(dots, across, up)
    names = ", ".join(dot.name for dot in dots if dot.front)
    return svg(WIDTH, HEIGHT, f"{metric} against {cost}", f"Front: {names}.", "".join(body))


def _cost_axis(costs: Sequence[float]) -> Axis:
    low, high = min(costs), max(costs)
    if low > 0 and high / low > WIDE:
        low, high = low / 1.25, high * 1.25
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        several = (1, 2, 5) if high / low < 100 else (1,)
        ticks = (times * 10.0**decade for decade in decades for times in several)
        inside = tuple(tick for tick in ticks if low <= tick <= high)
        return Axis(low, high, LEFT, WIDTH - RIGHT, inside, log=True)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
    low, high = max(low - room, 0.0) if low >= 0 else low - room, high + room
    return Axis(low, high, LEFT, WIDTH - RIGHT, nice_ticks(low, high))


def _metric_axis(dots: Sequence[Dot]) -> Axis:
    ends = [
        end
        for dot in dots
        for end in (dot.estimate.low, dot.estimate.value, dot.estimate.high)
        if end is not None
    ]
    return value_axis(min(ends), max(ends))


def _grid(across: Axis, up: Axis, label: str) -> Iterator[str]:
    for tick in up.ticks:
        y = up.place(tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text(LEFT - 8, y + 4, tick_label(tick), "tick", "end")
    for tick in across.ticks:
        x = across.place(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield text(x, HEIGHT - BOTTOM + 19, tick_label(tick), "tick", "middle")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, label, "label", "middle")


def _steps(dots: Sequence[Dot], across: Axis, up: Axis) -> str:
    """The front from its cheapest system to its best, as steps: between two there is nothing."""
    front = sorted((dot for dot in dots if dot.front), key=lambda dot: dot.cost)
    places = [(across.place(dot.cost), up.place(dot.estimate.value)) for dot in front]
    corners = [f"{places[0][0]:.1f},{places[0][1]:.1f}"]
    for (_, before), (x, y) in pairwise(places):
        corners += [f"{x:.1f},{before:.1f}", f"{x:.1f},{y:.1f}"]
    return f'<polyline class="front" points="{" ".join(corners)}"/>'


def _dot(dot: Dot, across: Axis, up: Axis, cost: str) -> Iterator[str]:
    x, y = across.place(dot.cost), up.place(dot.estimate.value)
    css = "c0" if dot.front else "c5"
    low, high = dot.estimate.low, dot.estimate.high
    if low is not None and high is not None:
        ends = f'y1="{up.place(low):.1f}" y2="{up.place(high):.1f}"'
        yield f'<line class="whisker {css}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'
    said = escape(f"{dot.name}: {told(dot.estimate)} at {quantity(dot.cost)} {cost}")
    yield (
        f'<circle class="point {css}" cx="{x:.1f}" cy="{y:.1f}" r="{5 if dot.front else 4}">'
        f"<title>{said}</title></circle>"
    )


def _numbers(dots: Sequence[Dot], across: Axis, up: Axis) -> Iterator[str]:
    """Each dot's place in the leaderboard, at the first of its corners where no other stands."""
    taken: list[tuple[float, float]] = []
    for dot in dots:
        x, y = across.place(dot.cost), up.place(dot.estimate.value)
        corners = [(x + dx, y + dy) for dy in (-5, 13, -17, 25) for dx in (8, -8)]
        at = next((each for each in corners if not _meets(each, taken)), corners[0])
        taken.append(at)
        css, anchor = "label" if dot.front else "tick", "start" if at[0] > x else "end"
        yield text(*at, str(dot.place), css, anchor)


def _meets(place: tuple[float, float], taken: Sequence[tuple[float, float]]) -> bool:
    return any(abs(place[0] - x) < 15 and abs(place[1] - y) < 12 for x, y in taken)
