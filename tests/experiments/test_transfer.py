"""What cells say together: intervals over rows and seeds, transfer, curves, tables, the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from experiments.made_up import ROWS, first_right, make_cell, make_experiment
from multigraft.evaluation.statistics import mcnemar, over_both
from multigraft.experiments.cells import Cell
from multigraft.experiments.efficiency import curves
from multigraft.experiments.overview import report_of
from multigraft.experiments.page import render
from multigraft.experiments.records import Record, write_record
from multigraft.experiments.summary import Summary
from multigraft.experiments.transfer import transfers


def rights(cell: Cell, domain: str) -> np.ndarray:
    """A model answers 90 rows of its own domain right and 60 of the other; from scratch 75 of its
    own and 20."""
    own = cell.data == domain
    base = (75 if own else 20) if cell.scratch else (90 if own else 60)
    return first_right(base + cell.seed)


def test_seeds_are_one_system_with_one_interval(tmp_path: Path) -> None:
    cells = [make_cell("a", seed) for seed in range(3)]
    summary = Summary(make_experiment(tmp_path, cells, ["a"], rights))
    (point,) = summary.points
    scores = np.stack([first_right(90 + seed) for seed in range(3)])
    expected = over_both(scores, count=400)
    assert point.estimate.value == pytest.approx(91 / ROWS)
    assert (point.estimate.low, point.estimate.high) == pytest.approx((expected.low, expected.high))
    assert (point.estimate.n, point.estimate.seeds) == (ROWS, 3)


def test_transfer_is_told_beside_the_targets_own_model_and_scratch(tmp_path: Path) -> None:
    cells = [
        make_cell(source, backbone=backbone, scratch=backbone == "none")
        for backbone in ("large", "none")
        for source in ("a", "b")
    ]
    summary = Summary(make_experiment(tmp_path, cells, ["a", "b"], rights))
    found = {(each.group.name, each.source, each.target): each for each in transfers(summary)}
    assert len(found) == 2 * 2 * 2
    across = found["large", "a", "b"]
    assert across.estimate.value == pytest.approx(60 / ROWS)
    assert across.over_own is not None and across.over_scratch is not None
    peer = mcnemar(first_right(60), first_right(90))
    assert across.over_own.value == pytest.approx(-30 / ROWS)
    assert (across.over_own.low, across.over_own.high) == pytest.approx((peer.low, peer.high))
    assert across.relative == pytest.approx(-30 / 90)
    assert across.over_scratch.value == pytest.approx(-15 / ROWS)
    assert across.negative
    own = found["large", "b", "b"]
    assert own.over_own is None and own.relative is None
    assert own.over_scratch is not None and own.over_scratch.value == pytest.approx(15 / ROWS)
    assert not own.negative
    scratch = found["none", "a", "b"]
    assert scratch.over_scratch is None and not scratch.negative


def test_where_nothing_is_sure_nothing_is_negative(tmp_path: Path) -> None:
    cells = [make_cell("a", backbone="large"), make_cell("b", backbone="none", scratch=True)]
    summary = Summary(
        make_experiment(
            tmp_path, cells, ["b"], lambda cell, domain: first_right(60 if cell.scratch else 59)
        )
    )
    (first, _) = transfers(summary)
    assert first.over_scratch is not None and first.over_scratch.value < 0
    assert not first.negative


def test_the_scratch_that_agrees_in_most_is_the_baseline(tmp_path: Path) -> None:
    cells = [
        make_cell("a", backbone="large", strategy="full"),
        make_cell("a", backbone="none", strategy="probe", scratch=True),
        make_cell("a", backbone="none", strategy="full", scratch=True),
    ]
    right = {cells[0].key: 60, cells[1].key: 10, cells[2].key: 40}
    summary = Summary(
        make_experiment(tmp_path, cells, ["a"], lambda cell, _: first_right(right[cell.key]))
    )
    first = transfers(summary)[0]
    assert first.over_scratch is not None
    assert first.over_scratch.value == pytest.approx(20 / ROWS)


def test_seeds_on_different_rows_have_students_interval(tmp_path: Path) -> None:
    cells = [make_cell(None, seed, strategy="full") for seed in range(3)]
    counts = [100, 110, 120]
    summary = Summary(
        make_experiment(
            tmp_path,
            cells,
            ["held-out"],
            lambda cell, _: np.resize([1.0, 0.0], counts[cell.seed]),
        )
    )
    (point,) = summary.points
    assert point.estimate.method == "Student's t over seeds"
    assert summary.difference(point.group, point.group, "held-out") is None
    values = [0.5, 0.5, 0.5]
    half = np.std(values, ddof=1) / np.sqrt(3) * t.ppf(0.975, 2)
    assert (point.estimate.low, point.estimate.high) == pytest.approx((0.5 - half, 0.5 + half))


def test_a_metric_grows_with_the_training_rows(tmp_path: Path) -> None:
    cells = [make_cell("a", **{"data.limit": limit}) for limit in (400, 100, 200)]
    found = make_experiment(
        tmp_path,
        cells,
        ["a", "b"],
        lambda cell, _: first_right(int(cell.varied["data.limit"]) // 10),
        train_rows=lambda cell: int(cell.varied["data.limit"]),
    )
    steps = curves(Summary(found))["a"]
    assert [step.rows for step in steps] == [100, 200, 400]
    assert [step.estimate.value for step in steps] == pytest.approx([10 / 120, 20 / 120, 40 / 120])
    assert "training rows" in render(found)


def test_the_page_and_the_tables_tell_what_failed_and_escape_it(tmp_path: Path) -> None:
    cells = [make_cell(source, seed) for source in ("a", "b") for seed in (0, 1)]
    broken = make_cell("c")
    found = make_experiment(tmp_path, cells, ["a", "b"], rights)
    found.cells = [*cells, broken]
    reason = "rows.csv:\n  <script>alert(1)</script> is no label"
    write_record(tmp_path, Record(cell=broken.key, state="failed", reason=reason))
    page = render(found)
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert page.count('class="confusion sources"') == 1
    assert 'title="a on b: 0.504 [' in page
    tables = report_of(found).tables
    assert tables["failed"] == (("cell", "why"), (broken.key, " ".join(reason.split("\n  "))))
    heading, *lines = tables["accuracy, source by target"]
    assert heading == ("learned from", "a", "b")
    assert [line[0] for line in lines] == ["a", "b"]
    assert lines[0][1].startswith("0.754 [")
    assert list(found.problems) == [broken.key]


def test_a_metric_that_nobody_measured_is_told(tmp_path: Path) -> None:
    found = make_experiment(tmp_path, [make_cell("a")], ["a"], rights)
    found.metric = "accurcy"
    report = report_of(found)
    assert report.notes == ("metric: no cell measured 'accurcy'; measured were accuracy, loss",)
    assert "accurcy" in render(found)


def test_before_any_cell_has_ended_there_is_a_page_too(tmp_path: Path) -> None:
    found = make_experiment(tmp_path, [], ["a"], rights)
    found.cells = [make_cell("a")]
    assert report_of(found).notes == ("no cell has ended yet",)
    assert "no cell has ended yet" in render(found)


def test_damaged_row_results_are_left_out_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cells = [make_cell("a", seed) for seed in (0, 1)]
    found = make_experiment(tmp_path, cells, ["a"], rights)
    (tmp_path / "cells" / cells[0].key / "reports/evaluate-a.npz").write_bytes(b"PK")
    (point,) = Summary(found).points
    assert point.estimate.method == "Student's t over seeds"
    assert "its rows are left out of comparisons" in caplog.text
