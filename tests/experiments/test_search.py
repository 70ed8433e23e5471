"""A search chooses by validation rows, and what it chose is trained and tested as any cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from experiments.conftest import Compute
from experiments.test_experiment import timeless
from multigraft.errors import MissingDependency, RunError
from multigraft.experiments.page import render
from multigraft.experiments.progress import Update, line_of

pytest.importorskip("optuna")
SEARCH = {
    "space": {"training.learning_rate": {"low": 1e-6, "high": 1e-1, "log": True}},
    "trials": 3,
    "pruner": "none",
}
VARY = {"data": ["a"], "seed": [0, 1]}


def test_the_validation_chooses_and_the_test_is_measured_for_the_chosen(
    compute: Compute, tmp_path: Path
) -> None:
    made = compute(search=SEARCH, vary=VARY)
    trials = made.trials()
    assert [each.number for each in trials] == [0, 1, 2] and not made.problems
    best = max(trials, key=lambda each: (each.value or 0, -each.number))
    assert [cell.seed for cell in made.cells] == [0, 1]
    for cell in made.cells:
        record = json.loads((tmp_path / "made/cells" / cell.key / "run.json").read_text())
        assert record["recipe"]["training"]["learning_rate"] == best.drawn["training.learning_rate"]
        assert cell.varied == {"data": "a"}, "what was searched is no system of its own"
    assert {row["domain"] for row in made.rows()} == {"a", "b"}
    runs = list((tmp_path / "made/search/cells").iterdir())
    assert len(runs) == len({each.key for each in trials})
    for run in runs:
        assert not list(run.glob("reports/evaluate*")), "no trial was measured on test rows"
        assert not (run / "model").exists()
        report = json.loads((run / "run.json").read_text())
        (trial,) = (each for each in trials if each.key == run.name)
        assert report["best"]["value"] == trial.value
    report = made.report()
    assert report.notes[0].startswith("search: of 3 trials the validation rows chose")
    heading, first, *_ = report.tables["search: a, best of 3 trials"]
    assert heading == ("trial", "learning_rate", "validation accuracy", "ended", "time")
    assert float(first[2]) == pytest.approx(
        max(each.value or 0 for each in made.trials()), abs=1e-3
    )
    page = render(made)
    assert 'id="search"' in page and "they had no part in the choice" in page


def test_again_nothing_is_computed_more_trials_go_on_and_another_space_is_refused(
    compute: Compute, grid: Any
) -> None:
    fields = {"search": SEARCH, "vary": VARY}
    first, told = compute(**fields), list[Update]()
    trials, rows = first.trials(), first.rows()
    assert compute(**fields, tell=told.append).rows() == rows and told == []
    more = compute(search={**SEARCH, "trials": 4}, vary=VARY, tell=told.append)
    assert "validation accuracy" in line_of(told[0])
    assert [each.number for each in more.trials()] == [0, 1, 2, 3] and more.trials()[:3] == trials
    assert mg.Experiment.open(first.folder).rows() == more.rows()
    wider = {**SEARCH, "space": {"training.learning_rate": {"low": 1e-6, "high": 1e1}}}
    with pytest.raises(RunError, match="was begun with another space or sampler"):
        compute(search=wider, vary=VARY)
    recipe = {**grid["recipe"], "training": {**grid["recipe"]["training"], "batch_size": 8}}
    with pytest.raises(RunError, match="was begun with another recipe"):
        compute(**fields, recipe=recipe)


@pytest.mark.parametrize("library", ["optuna", "ray"])
def test_what_is_missing_is_told_with_its_extra(
    grid: Any, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    from multigraft.experiments import driver

    monkeypatch.setattr(driver, "find_spec", lambda name: None)
    fields = {"search": SEARCH} if library == "optuna" else {}
    extra = {"optuna": "search"}.get(library, library)
    asked = "ray" if library == "ray" else "processes"
    grid["recipe"].update(task="text-classification", backbone="bert-tiny")
    grid["recipe"]["data"]["columns"] = {"text": "series"}
    with pytest.raises(MissingDependency, match=rf'pip install "multigraft\[{extra}\]"'):
        mg.experiment({**grid, **fields}, engine=asked)  # type: ignore[arg-type]


def test_without_validation_rows_no_trial_ends_well(compute: Compute, grid: Any) -> None:
    data = {**grid["recipe"]["data"], "split": {"validation": 0}}
    with pytest.raises(RunError, match="none of 1 trials ended well: a search chooses by valid"):
        compute(search={**SEARCH, "trials": 1}, vary=VARY, recipe={**grid["recipe"], "data": data})


def test_stopped_in_a_trial_it_goes_on_to_the_same_end(
    compute: Compute, grid: Any, tmp_path: Path
) -> None:
    fields = {"search": {**SEARCH, "trials": 2}, "vary": {"data": ["a"]}}
    made = compute(**fields)
    steps: list[int] = []

    class Stops:
        @mg.hookimpl
        def step_end(self, run: mg.Run, step: int, logs: Any) -> None:
            steps.append(step)
            if len(steps) == 5:
                raise KeyboardInterrupt

    other = {**grid, **fields, "output": str(tmp_path / "struck")}
    with pytest.raises(KeyboardInterrupt):
        mg.experiment(other, plugins=[multigraft_series, Stops()])
    begun = mg.Experiment.open(tmp_path / "struck")
    assert (begun.cells == [] and begun.report().notes[-1]) or begun.trials()
    again = mg.experiment(other, plugins=[multigraft_series])
    assert timeless(again) == timeless(made)
    assert [(each.drawn, each.value) for each in again.trials()] == [
        (each.drawn, each.value) for each in made.trials()
    ]
