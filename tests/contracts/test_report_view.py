"""A report in a notebook and in a line: its metrics first, with the baseline beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.read_html import read_html
from multigraft.contracts.report import Baseline, Cost, Measure, Report, WorstRow
from multigraft.contracts.report_view import metric_rows, view_of, worst_rows
from multigraft.system.notebook import Rail

REPORT = Report(
    verb="evaluate",
    title="text-classification with <bert>",
    metrics={"accuracy": Measure(0.875, 0.75, 0.97), "loss": Measure(0.4, 0.3, 0.5)},
    baseline=Baseline("accuracy", 0.525, "always answering 'a'"),
    worst=(WorstRow("rows.csv row 7", 3.25, "bad", "good"), WorstRow("rows.csv row 9", 2.0)),
    cost=Cost(4.21, 812.0),
    facts={"run": "runs/x", "split": "test", "confidence": "0.95"},
    tables={"left out": (("row", "why"), *((f"row {n}", "blank") for n in range(9)))},
    notes=("no test rows",),
    files={"left out": "runs/x/rows-left-out.csv"},
)


def test_a_report_is_a_line_of_its_metrics() -> None:
    assert repr(REPORT) == (
        "<Report evaluate: text-classification with <bert>; "
        "accuracy 0.88 [0.75 to 0.97], loss 0.40 [0.30 to 0.50]>"
    )
    many = replace(REPORT, metrics={f"m{number}": Measure(1.0) for number in range(6)})
    assert repr(many).endswith("m3 1, and 2 more>")
    assert repr(Report(verb="export", title="t")) == "<Report export: t>"


def test_a_notebook_shows_metrics_baseline_cost_and_folder() -> None:
    _, said = read_html(REPORT._repr_html_())
    assert said[:2] == ["text-classification with <bert>", "evaluate, 4.2 s, 812 MB peak"]
    for each in (
        "95 % interval",
        "0.75 to 0.97",
        "accuracy 0.525, always answering 'a'",
        "runs/x",
        "no test rows",
        "rows.csv row 7",
        "runs/x/rows-left-out.csv",
    ):
        assert each in said
    assert "confidence" not in said


def test_the_baseline_is_a_mark_on_its_metrics_line() -> None:
    rows = view_of(REPORT).tables[""]
    assert rows[1][-1] == Rail(0.875, 0.75, 0.97, 0.525)
    assert rows[2][-1] == "", "a loss has no end that it should reach"


def test_a_metric_without_interval_has_no_line() -> None:
    assert metric_rows({"f1": Measure(0.5)}) == (("metric", "value"), ("f1", "0.5"))
    assert metric_rows({}) == ()


def test_long_tables_fold_where_a_file_has_them_all() -> None:
    folded = view_of(REPORT).folded
    assert [len(rows) for rows in folded.values()] == [3, 4]
    assert list(folded)[1] == "left out, the first 3 of 9"
    assert view_of(replace(REPORT, metrics={})).tables.keys() == {"left out, the first 3 of 9"}


def test_worst_rows_have_the_columns_that_any_of_them_has() -> None:
    assert worst_rows(REPORT.worst)[0] == ("row", "loss", "expected", "answered")
    assert worst_rows(REPORT.worst[1:])[0] == ("row", "loss")


@pytest.mark.parametrize("baseline", [None, Baseline("error", 2.0, "always answering 3")])
def test_a_baseline_survives_json(baseline: Baseline | None) -> None:
    import json

    report = replace(REPORT, baseline=baseline)
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    kept = report.to_dict()
    del kept["baseline"]
    assert Report.from_dict(kept).baseline is None, "a report of an earlier version has none"
