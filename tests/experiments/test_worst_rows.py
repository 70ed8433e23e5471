"""Worst rows: those with the largest loss over all cells, with what they hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.made_up import first_right, make_cell, make_experiment
from multigraft.contracts.report import Report, WorstRow
from multigraft.experiments.cells import folder_of
from multigraft.experiments.page import render
from multigraft.experiments.records import write_record
from multigraft.experiments.summary import Summary
from multigraft.experiments.worst_rows import worst_rows


def answer(row: int, loss: float | None, said: str, *, correct: bool) -> dict[str, Any]:
    return {
        "row": f"a.csv row {row}",
        "id": None,
        "expected": "good",
        "answer": said,
        "loss": loss,
        "correct": correct,
    }


@pytest.fixture
def made(tmp_path: Path) -> Summary:
    cells = [make_cell("a", seed) for seed in (0, 1)]
    found = make_experiment(tmp_path, cells, ["a"], lambda *_: first_right(90))
    losses = [[0.1, 3.0, 0.5, None], [0.3, 1.0, 4.0, None]]
    for cell, record, own in zip(cells, found.records().values(), losses, strict=True):
        folder = folder_of(tmp_path, cell.key)
        lines = [
            answer(row, loss, "bad" if (loss or 0) > 0.9 else "good", correct=(loss or 0) < 0.9)
            for row, loss in enumerate(own, 1)
        ]
        (folder / "answers").mkdir()
        (folder / "answers/a.jsonl").write_text("\n".join(map(json.dumps, lines)))
        worst = (WorstRow("a.csv row 3", 4.0, "good", "bad", "no <i>plot</i>"),)
        report = Report(verb="evaluate", title="t", worst=worst)
        (folder / "reports/evaluate-a.json").write_text(json.dumps(report.to_dict()))
        (tested,) = record.tested
        told = replace(tested, answers="answers/a.jsonl")
        write_record(tmp_path, replace(record, tested=(told,)))
    return Summary(found)


def test_rows_are_ordered_by_their_mean_loss_and_told_with_every_answer(made: Summary) -> None:
    ((domain, (heading, *rows)),) = worst_rows(made)
    assert domain == "a" and heading[:2] == ("row", "content")
    assert rows == [
        ("a.csv row 3", "no <i>plot</i>", "good", "good (1), bad (1)", "1/2", "2.25"),
        ("a.csv row 2", "", "good", "bad (2)", "2/2", "2"),
        ("a.csv row 1", "", "good", "good (2)", "0/2", "0.2"),
    ]
    page = render(made.experiment)
    assert "no &lt;i&gt;plot&lt;/i&gt;" in page and 'id="worst"' in page


def test_damaged_answers_are_told_and_left_out(
    made: Summary, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder_of(made.experiment.folder, made.experiment.cells[0].key) / "answers/a.jsonl"
    path.write_text("{}")
    ((_, (_, *rows)),) = worst_rows(made)
    assert [row[-1] for row in rows] == ["4", "1", "0.3"]
    assert "its rows are left out of the worst" in caplog.text


def test_answers_elsewhere_are_not_read(made: Summary, tmp_path: Path) -> None:
    for record in list(made.records.values()):
        (tested,) = record.tested
        (tmp_path / "secret.jsonl").write_text(json.dumps(answer(1, 1.0, "x", correct=False)))
        outside = replace(tested, answers="../../secret.jsonl")
        write_record(tmp_path, replace(record, tested=(outside,)))
    assert list(worst_rows(Summary(made.experiment))) == []
