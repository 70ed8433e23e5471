"""Charts as SVG text: pure functions that colour by class, so that a style sheet decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate, groupby

from multigraft.evaluation.report.axes import (
    HEIGHT,
    LARGEST,
    LEFT,
    LEGEND,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Point,
    step_axis,
    tick_label,
    value_axis,
)
from multigraft.evaluation.report.svg import svg, text

MOST_POINTS = 400
SMOOTH_FROM = 60
"""A curve of at least so many points gets its moving average drawn over it."""
COLOURS = 6


def line_chart(
    series: Mapping[str, Sequence[Point]],
    *,
    title: str,
    x_label: str = "step",
    log: bool = False,
    smooth: bool = False,
    span: tuple[float, float] | None = None,
) -> str:
    """Curves over one pair of axes; values that are not finite leave a gap, a lone point is a dot.

    ``log`` is kept where every value is positive; ``smooth`` draws a long curve's moving average
    over it; ``span`` are heights that the upright axis holds besides, so that charts compare.
    """
    drawn = {
        name: [point for point in points if _drawable(point)] for name, points in series.items()
    }
    values = [y for points in drawn.values() for _, y in points]
    if not values:
        return svg(
            WIDTH,
            90,
            title,
            "no values",
            text(WIDTH / 2, 50, "no values to draw", "empty", "middle"),
        )
    values += span or ()
    steps = [x for points in drawn.values() for x, _ in points]
    log = log and min(values) > 0
    across = step_axis(min(steps), max(steps))
    legend, lines = _legend(list(series), log=log)
    up = value_axis(min(values), max(values), TOP + LEGEND * lines, log=log)
    body = [*_frame(across, up, x_label), *legend]
    for index, (name, points) in enumerate(series.items()):
        body += _curve(name, points, index % COLOURS, across, up, smooth=smooth)
    return svg(WIDTH, HEIGHT, title, _described(drawn), "".join(body))


def interval_bar(value: float, low: float | None, high: float | None, *, end: float) -> str:
    """A value on a line from 0 to ``end``, with its interval as a band."""
    return range_bar(value, low, high, start=0, end=end)


def range_bar(
    value: float,
    low: float | None,
    high: float | None,
    *,
    start: float,
    end: float,
    stretched: bool = False,
    mark: float | None = None,
) -> str:
    """A value on a line from ``start`` to ``end``, with its interval as a band; ``stretched``: as
    wide as there is room, and no higher for it. ``mark`` is where a line stands that it is seen
    beside, as 0 of a difference."""
    if not all(map(_finite, (value, start, end))) or end <= start or not start <= value <= end:
        return ""
    across = Axis(start, end, 6, 234, ())
    band = ""
    if low is not None and high is not None and _finite(low) and _finite(high):
        left, right = across.place(max(low, start)), across.place(min(high, end))
        width = max(right - left, 1)
        band = f'<rect class="band" x="{left:.1f}" y="4" width="{width:.1f}" height="12" rx="2"/>'
    line = '<line class="rail" x1="6" x2="234" y1="10" y2="10"/>'
    at = across.place(value)
    needle = f'<line class="needle" x1="{at:.1f}" x2="{at:.1f}" y1="2" y2="18"/>'
    said = f"{value:.4g}" if not band else f"{value:.4g}, between {low:.4g} and {high:.4g}"
    title = f"{said} on a scale from {start:g} to {end:g}"
    stroke = ""
    if mark is not None and start <= mark <= end:
        stroke = f'<line class="zero" x1="{across.place(mark):.1f}" x2="{across.place(mark):.1f}" '
        stroke += 'y1="0" y2="20"/>'
    body = line + stroke + band + needle
    return svg(240, 20, title, "", body, kind="interval", stretched=stretched)


def heat_grid(labels: Sequence[str], matrix: Sequence[Sequence[int]], *, title: str) -> str:
    """A confusion matrix as squares, each row's shares as depth of colour; for many labels."""
    side = 480 / max(len(labels), 1)
    cells = []
    for row, counts in enumerate(matrix):
        total = sum(counts)
        for column, count in enumerate(counts):
            if not count:
                continue
            said = escape(f"{labels[row]} answered as {labels[column]}: {count} of {total}")
            cells.append(
                f'<rect class="{"right" if row == column else "wrong"}" '
                f'x="{20 + column * side:.2f}" '
                f'y="{20 + row * side:.2f}" width="{side:.2f}" height="{side:.2f}" '
                f'fill-opacity="{0.15 + 0.85 * count / total:.2f}"><title>{said}</title></rect>'
            )
    names = text(260, 13, "answered", "label", "middle") + text(
        13, 260, "expected", "label", "middle", turn=True
    )
    frame = '<rect class="box" x="20" y="20" width="480" height="480"/>'
    return svg(
        520, 504, title, f"{len(labels)} labels", names + frame + "".join(cells), kind="heat"
    )


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most ``most`` points, the lowest and the highest of each stretch, in order."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / (most // 2))
    kept: list[Point] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def moving_average(points: Sequence[Point]) -> list[Point]:
    """Centred moving average, which lags nothing, over a twentieth of the curve."""
    reach = max(len(points) // 40, 1)
    sums = list(accumulate((y for _, y in points), initial=0.0))
    averaged = []
    for index, (x, _) in enumerate(points):
        near = min(reach, index, len(points) - 1 - index)
        averaged.append((x, (sums[index + near + 1] - sums[index - near]) / (2 * near + 1)))
    return averaged


def _curve(
    name: str, points: Sequence[Point], colour: int, across: Axis, up: Axis, *, smooth: bool
) -> Iterator[str]:
    stretches = [list(group) for drawable, group in groupby(points, key=_drawable) if drawable]
    noisy = smooth and sum(map(len, stretches)) >= SMOOTH_FROM
    css = f"c{colour}"
    for stretch in stretches:
        if len(stretch) > 1:
            yield _path(thin(stretch), f"line {css}{' noise' if noisy else ''}", across, up)
            if noisy:
                yield _path(thin(moving_average(stretch)), f"line {css}", across, up)
    whole = [point for stretch in stretches for point in stretch]
    marked = whole if len(whole) <= 30 else whole[-1:]
    for x, y in marked:
        said = escape(f"{name}: {y:.4g} at {x:g}")
        yield (
            f'<circle class="point {css}" cx="{across.place(x):.1f}" cy="{up.place(y):.1f}" r="3">'
            f"<title>{said}</title></circle>"
        )


def _path(points: Sequence[Point], css: str, across: Axis, up: Axis) -> str:
    places = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in points)
    return f'<polyline class="{css}" points="{places}"/>'


def _frame(across: Axis, up: Axis, x_label: str) -> Iterator[str]:
    for tick in up.ticks:
        y = up.place(tick)
        yield (
            f'<line class="grid" x1="{across.start}" x2="{across.end}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        yield text(across.start - 8, y + 4, tick_label(tick), "tick", "end")
    for tick in across.ticks:
        x = across.place(tick)
        yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{up.start}" y2="{up.start + 5}"/>'
        yield text(x, up.start + 19, tick_label(tick), "tick", "middle")
    yield (
        f'<line class="axis" x1="{across.start}" x2="{across.end}" '
        f'y1="{up.start}" y2="{up.start}"/>'
    )
    yield text((across.start + across.end) / 2, HEIGHT - 4, x_label, "label", "middle")


def _legend(names: Sequence[str], *, log: bool) -> tuple[list[str], int]:
    """What the lines are, and on how many lines that is said; one curve needs no legend."""
    parts, x, line = [], float(LEFT), 0
    for index, name in enumerate(names if len(names) > 1 else ()):
        short = name if len(name) <= 24 else name[:23] + "…"
        wide = 40 + 6.5 * len(short)
        if x > LEFT and x + wide > WIDTH:
            x, line = float(LEFT), line + 1
        y = 12 + line * LEGEND
        parts.append(
            f'<line class="line c{index % COLOURS}" '
            f'x1="{x:.0f}" x2="{x + 18:.0f}" y1="{y}" y2="{y}"/>'
        )
        parts.append(text(x + 24, y + 4, short, "label", "start"))
        x += wide
    lines = line + 1 if parts else 0
    if log:
        parts.append(text(WIDTH - RIGHT, 16 + lines * LEGEND, "log scale", "tick", "end"))
    return parts, lines + log


def _described(drawn: Mapping[str, Sequence[Point]]) -> str:
    """What a person who cannot see the chart should know."""
    parts = [
        f"{name} goes from {points[0][1]:.4g} at {points[0][0]:g} to {points[-1][1]:.4g} at "
        f"{points[-1][0]:g}"
        for name, points in drawn.items()
        if points
    ]
    return "; ".join(parts) + "."


def _finite(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= LARGEST


def _drawable(point: Point) -> bool:
    return _finite(point[0]) and _finite(point[1])
