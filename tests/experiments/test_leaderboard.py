"""Leaderboard: systems over all domains and seeds, with ranks, differences and costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.made_up import ROWS, first_right, make_cell, make_experiment
from multigraft.evaluation.statistics import friedman, mcnemar
from multigraft.experiments.cells import Cell
from multigraft.experiments.costs import Costs, undominated
from multigraft.experiments.leaderboard import Leaderboard, leaderboard
from multigraft.experiments.opening import Experiment
from multigraft.experiments.overview import leaderboard_table, report_of
from multigraft.experiments.records import write_record
from multigraft.experiments.summary import Summary

BASE = {"full": 90, "lora": 85, "probe": 60}


def rights(cell: Cell, domain: str) -> np.ndarray:
    own = 5 if cell.data == domain else 0
    return first_right(BASE[str(cell.varied["strategy"])] + own + cell.seed)


def board_of(found: Experiment) -> Leaderboard:
    board = leaderboard(Summary(found))
    assert board is not None
    return board


def cells_of(strategies: list[str], sources: str = "ab", seeds: int = 2) -> list[Cell]:
    return [
        make_cell(source, seed, strategy=strategy)
        for strategy in strategies
        for source in sources
        for seed in range(seeds)
    ]


def test_systems_are_averaged_over_every_pair_and_seed(tmp_path: Path) -> None:
    board = board_of(make_experiment(tmp_path, cells_of(list(BASE)), ["a", "b"], rights))
    assert [each.name for each in board.entries] == ["full", "lora", "probe"]
    assert board.pairs == (("a", "a"), ("a", "b"), ("b", "a"), ("b", "b"))
    best, second, last = board.entries
    assert best.estimate is not None and best.estimate.value == pytest.approx(
        (90 + 2.5 + 0.5) / ROWS
    )
    assert best.difference is None and best.adjusted is None
    assert second.difference is not None and second.difference.value == pytest.approx(-5 / ROWS)
    assert last.difference is not None and last.difference.value == pytest.approx(-30 / ROWS)
    assert last.adjusted is not None and last.adjusted < 0.01
    assert (board.blocks, [each.rank for each in board.entries]) == (8, [1, 2, 3])


def test_ranks_are_friedmans(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = cells_of(list(BASE), seeds=3)
    counts = {(cell.key, domain): int(rng.integers(40, 80)) for cell in cells for domain in "ab"}
    found = make_experiment(
        tmp_path, cells, ["a", "b"], lambda cell, domain: first_right(counts[cell.key, domain])
    )
    board = board_of(found)
    scores = [
        [
            counts[make_cell(source, seed, strategy=strategy).key, target] / ROWS
            for strategy in board.ranked
        ]
        for source in "ab"
        for target in "ab"
        for seed in range(3)
    ]
    peer = friedman(scores)
    assert board.ranks is not None
    assert board.ranks.p == pytest.approx(peer.p)
    assert board.ranks.mean_ranks.tolist() == pytest.approx(peer.mean_ranks.tolist())
    by_name = dict(zip(board.ranked, peer.mean_ranks.tolist(), strict=True))
    assert {each.name: each.rank for each in board.entries} == pytest.approx(by_name)


def test_a_system_that_was_measured_in_few_places_takes_nothing_from_others(tmp_path: Path) -> None:
    cells = [*cells_of(["full", "lora"]), make_cell("a", strategy="probe")]
    found = make_experiment(tmp_path, cells, ["a"], rights)
    more = make_experiment(tmp_path, cells[:-1], ["a", "b"], rights)
    board = board_of(replace(found, domains=more.domains))
    assert [each.name for each in board.entries] == ["full", "lora", "probe"]
    lone = board.entries[-1]
    assert (lone.estimate, lone.rank, lone.measured) == (None, None, 1)
    assert len(board.pairs) == 4 and board.ranked == ("full", "lora")
    assert board.ranks is None, "two systems are no family"
    assert leaderboard_table(board)[-1][:3] == ("", "probe", "on 1 of 4")


def test_where_only_data_vary_the_sources_are_compared(tmp_path: Path) -> None:
    cells = [make_cell(source) for source in "ab"]
    right = {"a": 80, "b": 60}
    found = make_experiment(
        tmp_path, cells, ["c"], lambda cell, _: first_right(right[str(cell.data)])
    )
    board = board_of(found)
    assert [each.name for each in board.entries] == ["a", "b"] and board.pairs == ((None, "c"),)
    gap, peer = board.entries[1].difference, mcnemar(first_right(60), first_right(80))
    assert gap is not None and (gap.low, gap.high) == (peer.low, peer.high)


def test_seeds_on_different_rows_are_averaged_without_differences(tmp_path: Path) -> None:
    cells = [make_cell(None, seed, strategy=name) for name in ("full", "lora") for seed in (0, 1)]
    counts = [100, 110]
    found = make_experiment(
        tmp_path,
        cells,
        ["held-out"],
        lambda cell, _: np.resize(
            [1.0, 0.0] if cell.varied["strategy"] == "full" else [0.0], counts[cell.seed]
        ),
    )
    board = board_of(found)
    assert [each.name for each in board.entries] == ["full", "lora"]
    assert all(each.difference is None for each in board.entries)
    first = board.entries[0].estimate
    assert first is not None and first.method == "Student's t over seeds"


def test_costs_and_the_front_are_told(tmp_path: Path) -> None:
    cells = cells_of(list(BASE), sources="a", seeds=1)
    found = make_experiment(tmp_path, cells, ["a"], rights)
    costs = {"full": (100.0, 5.0), "lora": (120.0, 5.0), "probe": (10.0, 5.0)}
    for cell, record in zip(cells, found.records().values(), strict=True):
        seconds, ms = costs[str(cell.varied["strategy"])]
        write_record(tmp_path, replace(record, seconds=seconds, ms=ms, megabytes=90.0))
    board = board_of(found)
    assert [(each.name, each.front) for each in board.entries] == [
        ("full", True),
        ("lora", False),
        ("probe", True),
    ]
    heading, first, *_ = report_of(found).tables["leaderboard"]
    told = dict(zip(heading, first, strict=True))
    assert told["cells"] == "full" and told["beside the best"] == "best"
    assert (told["training s"], told["ms a row"], told["MB"]) == ("100", "5", "90")
    assert told["Pareto front"] == "front"


@pytest.mark.parametrize("greater", [True, False])
def test_the_front_is_that_of_every_subset_by_brute_force(greater: bool) -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        points = rng.integers(0, 4, (6, 3))
        systems = {
            str(place): (float(value), Costs(float(seconds), float(ms)))
            for place, (value, seconds, ms) in enumerate(points)
        }
        good = points * ([1, -1, -1] if greater else [-1, -1, -1])
        expected = {
            str(place)
            for place, one in enumerate(good)
            if not any((other >= one).all() and (other > one).any() for other in good)
        }
        assert undominated(systems, greater=greater) == expected


def test_a_system_alone_is_no_best(tmp_path: Path) -> None:
    cells = cells_of(["full"], sources="a")
    board = board_of(make_experiment(tmp_path, cells, ["a"], rights))
    heading, line = leaderboard_table(board)
    assert heading == ("", "cells", "accuracy", "training s")
    assert line[:2] == ("1", "full")


def test_before_anything_was_measured_there_is_none(tmp_path: Path) -> None:
    found = make_experiment(tmp_path, [], ["a"], rights)
    found.cells = [make_cell("a", strategy="full")]
    assert leaderboard(Summary(found)) is None
