"""Charts are well-formed, stay inside their box, and survive any numbers."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft.evaluation.report import axes, charts

ANY = st.floats(allow_nan=True, allow_infinity=True)
CURVE = st.lists(st.tuples(ANY, ANY), max_size=30)
COUNT = st.integers(0, 10**6)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def places(svg: str) -> list[tuple[float, float]]:
    """Every point that is drawn, in pixels."""
    root = parse(svg)
    found = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter("circle")]
    for line in root.iter("polyline"):
        found += [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]  # type: ignore[misc]
    return found


@given(
    st.dictionaries(st.text("ab<&\"'", min_size=1, max_size=4), CURVE, max_size=8), st.booleans()
)
def test_any_curves_give_a_picture_inside_its_box(series: dict, log: bool) -> None:
    svg = charts.line_chart(series, title="<any>", log=log, smooth=True)
    assert "nan" not in svg.split("<desc>")[0] and 'points="nan' not in svg
    for x, y in places(svg):
        assert axes.LEFT - 0.2 <= x <= axes.WIDTH - axes.RIGHT + 0.2
        assert axes.TOP - 0.2 <= y <= axes.HEIGHT - axes.BOTTOM + 0.2


def test_a_curve_is_placed_where_its_numbers_are() -> None:
    svg = charts.line_chart({"loss": [(0, 1.0), (10, 0.0)]}, title="loss")
    corners = {(float(x), float(y)) for x, y in places(svg)}
    assert corners == {
        (axes.LEFT, axes.TOP),
        (axes.WIDTH - axes.RIGHT, axes.HEIGHT - axes.BOTTOM),
    }


def test_no_values_are_said_instead_of_drawn() -> None:
    for series in ({}, {"loss": []}, {"loss": [(1, math.nan), (2, math.inf)]}):
        assert "no values to draw" in charts.line_chart(series, title="loss")


def test_a_lone_point_is_a_dot_over_its_step() -> None:
    root = parse(charts.line_chart({"loss": [(7, 0.5)]}, title="loss"))
    assert len(list(root.iter("circle"))) == 1
    assert not list(root.iter("polyline"))
    assert [text.text for text in root.iter("text") if text.get("class") == "tick"].count("7") == 1


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    points = [(0, 1.0), (1, 1.0), (2, math.nan), (3, 1.0), (4, 1.0)]
    assert len(list(parse(charts.line_chart({"loss": points}, title="loss")).iter("polyline"))) == 2


def test_log_places_decades_evenly_and_needs_positive_values() -> None:
    svg = charts.line_chart({"loss": [(0, 100.0), (1, 10.0), (2, 1.0)]}, title="loss", log=True)
    heights = sorted({y for _, y in places(svg)})
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)
    assert "log scale" in svg
    assert "log scale" not in charts.line_chart(
        {"loss": [(0, 1.0), (1, 0.0)]}, title="loss", log=True
    )


def test_a_long_curve_is_thinned_but_keeps_its_spike() -> None:
    points = [(float(step), 0.0) for step in range(100_000)]
    points[54_321] = (54_321.0, 9.0)
    thinned = charts.thin(points)
    assert len(thinned) <= charts.MOST_POINTS
    assert (54_321.0, 9.0) in thinned
    assert thinned == sorted(thinned)
    assert len(charts.line_chart({"loss": points}, title="loss", smooth=True)) < 30_000


def test_the_moving_average_of_a_straight_line_is_that_line() -> None:
    line = [(float(x), 3.0 * x + 1) for x in range(200)]
    assert [y for _, y in charts.moving_average(line)] == pytest.approx([y for _, y in line])


def test_several_curves_are_told_apart_without_colour() -> None:
    series = {name: [(0, 1.0), (1, 2.0)] for name in ("training", "validation")}
    root = parse(charts.line_chart(series, title="loss"))
    assert {"line c0", "line c1"} <= {line.get("class") for line in root.iter("polyline")}
    assert {"training", "validation"} <= {text.text for text in root.iter("text")}


def test_it_says_itself_to_a_screen_reader() -> None:
    root = parse(charts.line_chart({"loss": [(1, 2.0), (9, 0.5)]}, title="Loss & more"))
    assert root.get("role") == "img"
    assert root.findtext("title") == "Loss & more"
    assert root.findtext("desc") == "loss goes from 2 at 1 to 0.5 at 9."


@given(st.floats(-1e99, 1e99), st.floats(-1e99, 1e99))
def test_an_axis_holds_both_ends_and_its_ticks_rise(one: float, other: float) -> None:
    axis = axes.value_axis(min(one, other), max(one, other))
    room = 1e-6 * (axis.high - axis.low)
    assert axis.low - room <= min(one, other) and max(one, other) <= axis.high + room
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert 2 <= len(axis.ticks) <= 12


def test_ticks_of_steps_are_whole() -> None:
    assert axes.step_axis(1, 3).ticks == (0, 1, 2, 3)
    assert axes.step_axis(2900, 3000).ticks == (2900, 2920, 2940, 2960, 2980, 3000)


def test_an_interval_bar_shows_value_and_band() -> None:
    root = parse(charts.interval_bar(0.5, 0.25, 0.75, end=1.0))
    band = next(each for each in root.iter("rect"))
    needle = next(each for each in root.iter("line") if each.get("class") == "needle")
    assert (float(band.get("x", "")), float(band.get("width", ""))) == (63.0, 114.0)
    assert needle.get("x1") == "120.0"


@given(ANY, st.none() | ANY, st.none() | ANY, ANY)
def test_any_interval_gives_a_bar_or_nothing(
    value: float, low: float | None, high: float | None, end: float
) -> None:
    svg = charts.interval_bar(value, low, high, end=end)
    if svg:
        parse(svg)
        assert 'x="nan"' not in svg and 'x="inf"' not in svg


@given(
    st.integers(0, 6).flatmap(
        lambda n: st.lists(st.lists(COUNT, min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_a_heat_grid_draws_each_count_once(matrix: list[list[int]]) -> None:
    labels = [f"<{index}>" for index in range(len(matrix))]
    root = parse(charts.heat_grid(labels, matrix, title="confusion"))
    drawn = [cell for cell in root.iter("rect") if cell.get("class") in ("right", "wrong")]
    assert len(drawn) == sum(count > 0 for row in matrix for count in row)
