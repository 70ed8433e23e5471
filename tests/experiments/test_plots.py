"""The page's plots: marks stand where the figures are, and a stranger's names are escaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from experiments.made_up import first_right, make_cell, make_experiment
from multigraft.evaluation.statistics import Estimate, friedman
from multigraft.experiments.cells import Cell, folder_of
from multigraft.experiments.epochs import validations
from multigraft.experiments.leaderboard import leaderboard
from multigraft.experiments.page import render
from multigraft.experiments.plots.critical_difference import rank_diagram
from multigraft.experiments.plots.forest import average_differences, differences, forest
from multigraft.experiments.plots.learning_curves import learning_plots
from multigraft.experiments.plots.pareto import Dot, pareto_plot
from multigraft.experiments.records import write_record
from multigraft.experiments.summary import Summary

EVIL = "<b onclick='x'>&"


def parsed(svg: str) -> ElementTree.Element:
    """The drawing, which must be whole XML."""
    return ElementTree.fromstring(svg)


def dots(svg: str) -> dict[str, tuple[float, float]]:
    """Where each dot stands, by what is said of it."""
    found = {}
    for circle in parsed(svg).iter("circle"):
        title = circle.find("title")
        assert title is not None and title.text
        found[title.text.split(":")[0]] = float(circle.attrib["cx"]), float(circle.attrib["cy"])
    return found


def estimate(value: float, half: float = 0.01) -> Estimate:
    return Estimate(method="m", value=value, low=value - half, high=value + half, n=10)


def test_a_diagram_orders_systems_by_rank_and_joins_what_is_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.1, (12, 4)) + np.array([3.0, 0.0, 2.95, -4.0])
    ranks = friedman(scores)
    names = ["first", "third", "second", EVIL]
    drawn = rank_diagram(names, ranks)
    places = dots(drawn)
    by_rank = [name for _, name in sorted(zip(ranks.mean_ranks, names, strict=True))]
    assert sorted(places, key=lambda name: places[name][0]) == by_rank
    assert sorted(places, key=lambda name: places[name][1]) == by_rank
    bars = [line for line in parsed(drawn).iter("line") if line.attrib["class"] == "alike"]
    joined = [line for line in bars if line.attrib["x1"] == line.attrib["x2"]]
    assert len(joined) == len(ranks.alike())
    for bar, group in zip(joined, ranks.alike(), strict=True):
        low, high = float(bar.attrib["y1"]), float(bar.attrib["y2"])
        inside = {name for name, (_, y) in places.items() if low <= y <= high}
        assert inside == {names[each] for each in group}


def test_a_pareto_plot_has_its_front_as_steps() -> None:
    made = [
        Dot(1, "best", 100.0, estimate(0.9), True),
        Dot(2, EVIL, 90.0, estimate(0.7), False),
        Dot(3, "cheap", 1.0, estimate(0.6), True),
    ]
    drawn = pareto_plot(made, "accuracy", "ms a row")
    places = dots(drawn)
    assert places["cheap"][0] < places[EVIL][0] < places["best"][0]
    assert places["best"][1] < places[EVIL][1] < places["cheap"][1]
    (front,) = (each for each in parsed(drawn).iter("polyline"))
    corners = [tuple(map(float, each.split(","))) for each in front.attrib["points"].split()]
    assert corners == [places["cheap"], (places["best"][0], places["cheap"][1]), places["best"]]
    assert "log scale" in drawn


def test_costs_that_hardly_differ_are_drawn_on_a_plain_scale() -> None:
    same = [Dot(place, str(place), 5.0, estimate(0.5 + place / 9), True) for place in (1, 2)]
    assert "log scale" not in pareto_plot(same, "accuracy", "MB")
    nothing = [Dot(place, str(place), 0.0, estimate(0.5), True) for place in (1, 2)]
    parsed(pareto_plot(nothing, "accuracy", "MB"))


def test_a_forest_of_differences_holds_the_line_of_no_difference() -> None:
    made = forest("t", [("a", estimate(-0.3), ""), ("b", estimate(-0.1), ", p 0.02")], zero=True)
    assert made.lines[1].value.endswith(", p 0.02") and float(made.high) >= 0 > float(made.low)
    lefts = []
    for line in made.lines:
        marks = {each.attrib["class"]: each for each in parsed(line.bar).iter("line")}
        assert float(marks["zero"].attrib["x1"]) > float(marks["needle"].attrib["x1"])
        lefts.append(float(marks["needle"].attrib["x1"]))
    assert lefts[0] < lefts[1]
    assert "zero" not in forest("t", [("a", estimate(0.3), "")]).lines[0].bar


@pytest.fixture
def found(tmp_path: Path) -> Summary:
    """Three strategies, two domains, two seeds, with logs of their epochs."""
    base = {"full": 90, "lora": 80, EVIL: 60}
    cells = [
        make_cell(source, seed, strategy=strategy)
        for strategy in base
        for source in "ab"
        for seed in (0, 1)
    ]
    cells = [replace(cell, key=re.sub(r"[^\w-]", "x", cell.key)) for cell in cells]

    def rights(cell: Cell, domain: str) -> np.ndarray:
        return first_right(base[str(cell.varied["strategy"])] + 5 * (cell.data == domain))

    made = make_experiment(tmp_path, cells, ["a", "b"], rights)
    for place, record in enumerate(made.records().values()):
        write_record(tmp_path, replace(record, ms=5.0 + place, megabytes=9.0 * (place + 1)))
    for cell in cells:
        lines = [
            {"step": 10 * epoch, "epoch": epoch, "validation": {"accuracy": epoch / 10}}
            for epoch in (1, 2, 3)
        ]
        log = folder_of(tmp_path, cell.key) / "metrics.jsonl"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Summary(made)


def test_learning_curves_are_those_of_the_log(found: Summary, tmp_path: Path) -> None:
    drawn = dict(learning_plots(found))
    assert len(drawn) == 6
    points = dots(drawn["a, full"])
    assert set(points) == {"seed 0", "seed 1"}
    said = [each.text for each in parsed(drawn["a, full"]).iter("title")]
    assert "seed 0: 0.3 at 3" in said
    log = folder_of(tmp_path, found.experiment.cells[0].key) / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 40, "epo')
    assert validations(log.parent, "accuracy") == [(1.0, 0.1), (2.0, 0.2), (3.0, 0.3)]
    assert validations(log.parent, "f1") == [] and validations(tmp_path, "accuracy") == []


def test_a_log_that_is_damaged_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "metrics.jsonl").write_text("nonsense\n")
    assert validations(tmp_path, "accuracy") == []
    assert "its curve is left out" in caplog.text


def test_differences_are_those_of_the_same_data(found: Summary) -> None:
    board = leaderboard(found)
    assert board is not None
    average = average_differences(board)
    assert average is not None
    assert average.title == "accuracy minus that of full, averaged over 4 pairs"
    assert [line.name for line in average.lines] == ["lora", EVIL]
    titles = [each.title for each in differences(found)]
    assert titles[0] == "a on a: accuracy minus that of full" and len(titles) == 4


def test_the_page_has_every_section_and_escapes_names(found: Summary) -> None:
    page = render(found.experiment)
    for place in ("leaderboard", "transfer", "cells", "differences", "learning"):
        assert f'id="{place}"' in page and f'href="#{place}"' in page
    for text in ("Friedman's test of 3 systems", "Mean ranks", "against ms a row", "against MB"):
        assert text.replace("'", "&#39;") in page or text in page
    assert EVIL not in page and "&lt;b onclick=" in page
