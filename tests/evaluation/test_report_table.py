"""What a terminal shows of a report."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from multigraft.contracts.numbers import duration, figure, interval
from multigraft.contracts.report import Confusion, Cost, Measure, Report, WorstRow
from multigraft.evaluation.report.table import show

REPORT = Report(
    verb="evaluate",
    title="a [bold]title[/bold]",
    metrics={"accuracy": Measure(0.86231, 0.8451, 0.8790), "loss": Measure(0.45)},
    curves={"loss": ((1.0, 2.0), (2.0, 0.5)), "empty": (), "flat": ((1.0, 1.0),)},
    confusion=Confusion(("bad", "good"), ((8, 2), (1, 9))),
    worst=(WorstRow("rows.csv row 7", 3.25, "bad", "good"), WorstRow("rows.csv row 9", 2.0)),
    cost=Cost(4.21, 812.0),
    facts={"split": "test", "confidence": "0.95"},
    tables={
        "wide": (("name", "a very wide heading", "why"), ("int8", "1", "because_" * 6)),
        "none": (),
    },
    notes=("no [test] rows",),
    files={"bundle": "runs/x/bundle"},
)


def shown(report: Report, width: int = 100) -> str:
    stream = io.StringIO()
    show(report, Console(file=stream, width=width))
    return stream.getvalue()


def test_everything_is_said() -> None:
    text = shown(REPORT)
    for said in (
        "0.862",
        "0.845 to 0.879",
        "95 % interval",
        "rows.csv row 7",
        "3.25",
        "runs/x/bundle",
        "4.2 s",
    ):
        assert said in text


def test_brackets_are_text_and_not_markup() -> None:
    assert "a [bold]title[/bold]" in shown(REPORT)
    assert "no [test] rows" in shown(REPORT)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_terminal_loses_no_word(width: int) -> None:
    text = "".join(shown(REPORT, width).split())
    assert "because_" * 6 in text
    assert all(len(line) <= width for line in shown(REPORT, width).splitlines())


def test_the_bar_stands_where_the_value_is() -> None:
    middle = Report(verb="evaluate", title="t", metrics={"accuracy": Measure(0.5, 0.25, 1.0)})
    bar = next(line for line in shown(middle).splitlines() if "●" in line).split()[-1]
    assert bar == "······──────●───────────"


def test_more_labels_than_fit_point_to_the_page() -> None:
    names = tuple(map(str, range(21)))
    large = Report(verb="evaluate", title="t", confusion=Confusion(names, ((1,) * 21,) * 21))
    assert "see report.html" in shown(large)


def test_an_interval_that_is_rounding_decides_no_digits() -> None:
    assert figure(Measure(0.4, 0.4 - 1e-9, 0.4 + 1e-9)) == "0.4"
    assert figure(Measure(0.0, 0.0, 0.0)) == "0"
    assert figure(Measure(0.4, 0.3999, 0.4001)) == "0.40000"


def test_an_empty_report_is_a_title() -> None:
    assert shown(Report(verb="export", title="t")).split() == ["t", "export"]


@pytest.mark.parametrize(
    ("measure", "value", "between"),
    [
        (Measure(0.87123, 0.8512, 0.8904), "0.871", "0.851 to 0.890"),
        (Measure(0.87123), "0.8712", ""),
        (Measure(1.0, 1.0, 1.0), "1", "1 to 1"),
        (Measure(0.0312, 0.0231, 0.0448), "0.031", "0.023 to 0.045"),
        (Measure(1234.5, 1200.0, 1300.0), "1234", "1200 to 1300"),
        (Measure(float("nan"), float("nan"), float("nan")), "n/a", "n/a to n/a"),
    ],
)
def test_the_interval_decides_the_digits(measure: Measure, value: str, between: str) -> None:
    assert (figure(measure), interval(measure)) == (value, between)


def test_odd_durations_are_said_plainly() -> None:
    assert (duration(float("nan")), duration(-1.0), duration(59.99)) == ("n/a", "n/a", "1 min 0 s")


def test_a_report_ends_with_its_metrics() -> None:
    text = shown(REPORT)
    last = text.index("interval")
    assert all(text.index(said) < last for said in ("no [test] rows", "runs/x/bundle", "row 7"))


@pytest.mark.parametrize("count", [8, 9, 60])
def test_many_notes_are_folded_and_named_where_they_stand(count: int) -> None:
    notes = tuple(f"note number {number}" for number in range(count))
    report = Report(verb="finetune", title="t", notes=notes, facts={"run": "runs/x"})
    lines = [line for line in shown(report).splitlines() if line.startswith("note")]
    if count == 8:
        assert lines == [f"note  {note}" for note in notes]
    else:
        assert lines[:-1] == [f"note  {note}" for note in notes[:3]]
        assert lines[-1] == f"note  and {count - 3} more; all of them: runs/x/report.html"
    assert "and 6 more" in shown(Report(verb="x", title="t", notes=notes[:9])) or count == 8


def test_rows_that_a_file_lists_are_three_on_a_terminal() -> None:
    rows = (("row", "holds"), *((f"row {number}", f"text {number}") for number in range(40)))
    listed = Report(verb="x", title="t", tables={"Rows": rows}, files={"Rows": "runs/x/rows.csv"})
    text = shown(listed)
    assert "text 2" in text and "text 3" not in text
    assert "the first 3; all of them: runs/x/rows.csv" in text
    assert "text 39" in shown(Report(verb="x", title="t", tables={"Rows": rows}))


def test_what_no_row_is_told_in_words_has_no_column() -> None:
    bare = Report(verb="evaluate", title="t", worst=(WorstRow("rows.csv row 7", 3.25),))
    assert "rows.csv row 7" in shown(bare)
    assert "expected" not in shown(bare) and "answered" not in shown(bare)
    half = Report(verb="evaluate", title="t", worst=(WorstRow("row 7", 3.25, "bad"),))
    assert "expected" in shown(half) and "answered" not in shown(half)
    assert "answered" in shown(REPORT)
