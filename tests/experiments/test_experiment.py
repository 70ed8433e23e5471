"""Cells are computed once, measured on every domain, and what fails keeps none from ending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import multigraft as mg
import multigraft_series
from experiments.conftest import Compute
from helpers.read_html import read_html
from multigraft.errors import RunError
from multigraft.experiments.progress import Update, line_of

COLUMNS = "cell data seed domain metric value low high n seconds state reason".split()


def test_the_table_holds_what_every_run_reports(compute: Compute, tmp_path: Path) -> None:
    made = compute()
    assert repr(made) == f"<Experiment {tmp_path / 'made'}: 2 cells, 2 ended>"
    _, said = read_html(made._repr_html_())
    assert {"2, 2 of them ended", "accuracy, source by target"} <= set(said)
    rows = made.rows()
    table = parquet.read_table(tmp_path / "made/results.parquet")
    assert table.column_names == COLUMNS
    assert table.to_pylist() == rows
    assert {(row["data"], row["seed"], row["domain"]) for row in rows} == {
        (data, 0, domain) for data in "ab" for domain in "ab"
    }
    assert {row["state"] for row in rows} == {"finished"} and not made.problems
    for row in rows:
        folder = tmp_path / "made/cells" / row["cell"]
        report = json.loads((folder / f"reports/evaluate-{row['domain']}.json").read_text())
        measure = report["metrics"][row["metric"]]
        assert [row["value"], row["low"], row["high"]] == list(measure.values())
        assert row["n"] == int(report["facts"]["rows"]) == 40
    accuracy = next(row for row in rows if row["metric"] == "accuracy")
    answers = tmp_path / "made/cells" / accuracy["cell"] / "answers" / f"{accuracy['domain']}.jsonl"
    correct = [json.loads(line)["correct"] for line in answers.read_text().splitlines()]
    assert accuracy["value"] == np.mean(correct)


def test_a_cell_is_an_ordinary_run(compute: Compute, tmp_path: Path) -> None:
    key = compute(vary={"data": ["a"]}).cells[0].key
    run = mg.open_run(tmp_path / "made/cells" / key, plugins=[multigraft_series])
    assert run.evaluate().metrics["accuracy"].value >= 0


def test_again_only_what_is_missing_is_computed(compute: Compute, tmp_path: Path) -> None:
    first = compute()
    before = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "made").rglob("*.json")
        if path.parent.name == "records" or "cells" in path.parts
    }
    told: list[Update] = []
    more = compute(vary={"data": ["a", "b"], "seed": [0, 1]}, tell=told.append)
    assert [update.cell.seed for update in told] == [1, 1]
    assert [update.left for update in told] == [1, 0]
    assert len(more.rows()) == len(first.rows()) * 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert compute().rows() == first.rows(), (
        "cells that the grid no longer has are not in the table"
    )


def test_a_cell_that_was_left_is_gone_on_with(compute: Compute, grid: Any, tmp_path: Path) -> None:
    whole = compute(output=str(tmp_path / "whole"))
    steps: list[int] = []

    class Stops:
        @mg.hookimpl
        def step_end(self, run: mg.Run, step: int, logs: Any) -> None:
            steps.append(step)
            if len(steps) == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mg.experiment(grid, plugins=[multigraft_series, Stops()])
    assert len(list((tmp_path / "made/records").iterdir())) == 1
    assert timeless(compute()) == timeless(whole)


def timeless(made: mg.Experiment) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in made.rows()]


def test_what_fails_is_told_by_cell_and_the_rest_goes_on(
    compute: Compute, grid: Any, tmp_path: Path
) -> None:
    strange = Path(grid["domains"]["b"]["test"])
    strange.write_text(strange.read_text().replace("up", "flat").replace("down", "steep"))
    fields = {
        "vary": {"data": ["a"], "training.learning_rate": [0.01, 1e38]},
        "recipe": {**grid["recipe"], "training": {**grid["recipe"]["training"], "bad_steps": 1}},
    }
    made = compute(**fields)
    good, bad = made.cells
    told = made.problems
    assert told[good.key][0].startswith("b: b: 40 of 40 rows")
    assert told[bad.key][0].startswith("the loss is nan at step")
    rows = {(row["cell"], row["domain"]): row for row in made.rows() if row["state"] == "failed"}
    assert set(rows) == {(good.key, "b"), (bad.key, None)}
    assert all(row["reason"] and row["metric"] is None for row in rows.values())
    assert {row["domain"] for row in made.rows() if row["state"] == "finished"} == {"a"}
    assert "the loss is nan" in (tmp_path / f"made/logs/{bad.key}.log").read_text()
    told_again: list[Update] = []
    compute(tell=told_again.append, **fields)
    assert told_again == [], "what failed stays until it is asked for"
    compute(retry=True, tell=told_again.append, **fields)
    assert [update.cell.key for update in told_again] == [good.key, bad.key]
    assert "failed: the loss is nan" in line_of(told_again[1])
    assert "b failed: b: 40 of 40 rows" in line_of(told_again[0])


def test_a_disk_that_takes_no_record_is_told_and_the_rest_goes_on(
    compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.experiments import job

    write, full = job.write_record, []

    def refused(folder: Path, record: Any) -> None:
        if not full:
            full.append(record.cell)
            raise OSError(28, "No space left on device", str(folder))
        write(folder, record)

    monkeypatch.setattr(job, "write_record", refused)
    told: list[Update] = []
    made = compute(tell=told.append)
    assert list(made.problems) == full
    assert "No space left on device" in line_of(told[0])
    assert len({row["cell"] for row in made.rows()}) == 1
    again = compute(tell=told.append)
    assert not again.problems and len(told) == 2 + 1


def test_other_rows_than_it_was_begun_with_are_refused(compute: Compute, domains: Any) -> None:
    compute(vary={"data": ["a"]})
    path = Path(domains["a"]["train"])
    path.write_text(path.read_text() + "1 2 3,up\n")
    with pytest.raises(RunError, match=r"was begun with other rows: .*a\.csv changed since"):
        compute(vary={"data": ["a"]})


def test_one_process_at_a_time_is_at_work(compute: Compute, tmp_path: Path) -> None:
    from multigraft.experiments.folder import held

    with held(tmp_path / "made"), pytest.raises(RunError, match="is at work"):
        compute()


def test_weights_go_where_only_scores_are_kept(compute: Compute, tmp_path: Path) -> None:
    made = compute(vary={"data": ["a"]}, keep="scores")
    folder = tmp_path / "made/cells" / made.cells[0].key
    assert {path.name for path in folder.iterdir()} >= {"run.json", "answers", "reports"}
    assert not (folder / "model").exists() and not (folder / "checkpoints").exists()


def test_it_is_read_while_it_is_computed(compute: Compute, tmp_path: Path) -> None:
    seen: list[int] = []

    def look(update: Update) -> None:
        found = mg.Experiment.open(tmp_path / "made")
        seen.append(len({row["cell"] for row in found.rows()}))

    compute(tell=look)
    assert seen == [1, 2]


def test_a_damaged_record_is_passed_over(
    compute: Compute, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = compute(vary={"data": ["a"], "seed": [0, 1]})
    before = made.rows()
    path = tmp_path / f"made/records/{made.cells[0].key}.json"
    path.write_text(path.read_text()[:50])
    assert {row["seed"] for row in made.rows()} == {1}
    assert "the cell is taken for one that has not ended" in caplog.text
    again = compute(vary={"data": ["a"], "seed": [0, 1]})
    assert timeless(again) == [{**row, "seconds": None} for row in before]


def test_without_domains_each_run_is_measured_on_its_own_rows(
    compute: Compute, domains: Any
) -> None:
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "training": {"epochs": 1, "workers": 0},
        "data": domains["a"],
    }
    made = compute(recipe=recipe, domains={}, test_on=[], vary={"seed": [0, 1]})
    assert {(row["domain"], row["n"]) for row in made.rows()} == {("held-out", 40)}


def test_objects_cannot_be_given_to_other_processes(grid: Any) -> None:
    with pytest.raises(mg.MultigraftError, match="objects cannot be given to other processes"):
        mg.experiment(grid, workers=2, plugins=[multigraft_series])


def test_threads_are_what_a_person_chose_else_the_cores_by_the_workers(
    compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.experiments.folder import usual_threads
    from multigraft.system.cpu import usable_cores

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert usual_threads(1) == usable_cores()
    assert usual_threads(10_000) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert usual_threads(2) == 3
    compute(vary={"data": ["a"]}, threads=1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    compute(vary={"data": ["a"], "seed": [0, 1]}, threads=None)
    records = [json.loads(path.read_text()) for path in (tmp_path / "made/records").iterdir()]
    assert {record["facts"]["threads"] for record in records} == {1}, "as it was begun"


def test_a_probe_of_several_seeds_computes_its_backbone_once(
    compute: Compute, grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.training.replay.player import Player

    key = compute(vary={"data": ["a"]}).cells[0].key
    rows: list[int] = []
    computed = Player.compute
    monkeypatch.setattr(
        Player,
        "compute",
        lambda player, arrays: rows.append(len(arrays)) or computed(player, arrays),
    )
    weights = str(tmp_path / "made/cells" / key)
    recipe = {
        **grid["recipe"],
        "backbone": {"name": "tcn-tiny", "weights": weights},
        "strategy": "linear-probe",
        "training": {**grid["recipe"]["training"], "epochs": 2},
    }
    # validation rows of their own: then all seeds have the same rows
    domains = {name: {**each, "validation": each["test"]} for name, each in grid["domains"].items()}
    ended: list[int] = []
    compute(
        recipe=recipe,
        domains=domains,
        vary={"data": ["a"], "seed": [0, 1]},
        output=str(tmp_path / "probes"),
        tell=lambda update: ended.append(sum(rows)),
    )
    first, both = ended
    assert first >= 48 + 40 + 40
    assert both - first <= 20, "the second only tries a few rows"
