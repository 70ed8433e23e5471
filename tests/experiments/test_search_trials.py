"""Trials are drawn, told and gone on with as if nobody had been killed; nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.made_up import make_cell
from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.records import Record
from multigraft.experiments.search.outcome import Tried, best_of
from multigraft.experiments.search.pruning import PRUNED, Pruning
from multigraft.experiments.search.space import Search
from multigraft.experiments.search.studies import PlannedStudy
from multigraft.experiments.values import Combination

pytest.importorskip("optuna")
from multigraft.experiments.search.optuna_study import OptunaStudy, open_trial
from multigraft.experiments.search.trials import Course, Trials

SPACE = {
    "x": {"low": -1.0, "high": 1.0},
    "kind": {"choices": {"good": 1, "bad": -1}},
    "depth": {"low": 1, "high": 64, "log": True, "when": {"kind": "good"}},
}
Give = Callable[[str, Combination], Record]


def told_by(drawn: Combination) -> float:
    """The best is x = 0.3 of the good kind, and deep."""
    found = {"x": 0.0, "depth": 0.0, **{name: each.value for name, each in drawn.items()}}
    return float(-((found["x"] - 0.3) ** 2) + found["kind"] + found["depth"] / 640)


class Bench:
    """Studies in a folder, whose runs are functions of what was drawn."""

    def __init__(self, folder: Path, *, turn: str | None = None, **search: Any) -> None:
        self.search = Search.model_validate({"space": SPACE, "pruner": "none", **search})
        self.storage = f"sqlite:///{folder / 'optuna.db'}"
        self.turn = turn
        self.records: dict[str, Record] = {}
        self.drawn: dict[str, Combination] = {}
        self.told: list[Tried] = []

    def run(self, study: PlannedStudy, drawn: Combination) -> PlannedRun:
        key = f"{study.name}-" + "-".join(choice.label for choice in drawn.values())
        self.drawn[key] = drawn
        return PlannedRun(replace(make_cell("a"), key=key), "finetune", {}, self.turn)

    def start(self, *names: str) -> Trials:
        """As a process begins, or begins again."""
        example = PlannedRun(make_cell("a"), "finetune", {}, None)
        courses = [
            Course(
                PlannedStudy(name, {}, ({},), example),
                OptunaStudy(self.search, self.storage, name, None),
                self.search.trials,
            )
            for name in names or ("only",)
        ]
        return Trials(courses, self.run, self.records.get, self.told.append)

    def end(self, trials: Trials, run: PlannedRun, **fields: Any) -> None:
        made = {"validation": told_by(self.drawn[run.key]), "monitor": "accuracy", **fields}
        self.records[run.key] = Record(cell=run.key, **{"state": "finished", **made})
        trials.ended(run.key)


def finish(bench: Bench, trials: Trials) -> None:
    while (run := trials.take()) is not None:
        bench.end(trials, run)


def drawn_of(told: Sequence[Tried]) -> list[dict[str, Any]]:
    return [dict(each.drawn) for each in sorted(told, key=lambda each: each.number)]


def test_the_best_is_found_and_conditions_are_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=25)
    trials = bench.start()
    finish(bench, trials)
    assert len(bench.told) == 25 and trials.left == 0
    assert all(("depth" in each.drawn) == (each.drawn["kind"] == "good") for each in bench.told)
    assert all(isinstance(each.drawn.get("depth", 1), int) for each in bench.told)
    best = best_of(bench.told)
    assert best is not None and best.drawn["kind"] == "good"
    assert abs(best.drawn["x"] - 0.3) < 0.2
    assert best.value == max(each.value for each in bench.told if each.value is not None)


def test_killed_anywhere_it_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    calm = Bench(tmp_path / "calm", trials=12)
    finish(calm, calm.start())
    struck = Bench(tmp_path, trials=12)
    for stop in range(1, 40):
        trials = struck.start()
        for _ in range(stop % 3):
            run = trials.take()
            if run is not None:
                struck.end(trials, run)
        run = trials.take()  # and it is killed in the middle of this one
        if run is not None and stop % 2:
            made = told_by(struck.drawn[run.key])  # or behind it, before the study heard of it
            struck.records[run.key] = Record(
                cell=run.key, state="finished", validation=made, monitor="accuracy"
            )
        if trials.left == 0:
            break
    finish(struck, struck.start())
    numbers = {each.number: each for each in struck.told}
    assert drawn_of(list(numbers.values())) == drawn_of(calm.told)
    assert {number: each.value for number, each in numbers.items()} == {
        each.number: each.value for each in calm.told
    }


def test_a_grid_tries_everything_once(tmp_path: Path) -> None:
    space = {"x": {"low": -1.0, "high": 1.0, "step": 0.5}, "kind": SPACE["kind"]}
    bench = Bench(tmp_path, trials=10, space=space, sampler="grid")
    finish(bench, bench.start())
    found = {(each.drawn["x"], each.drawn["kind"]) for each in bench.told}
    assert found == {(x / 2, kind) for x in range(-2, 3) for kind in ("good", "bad")}


def test_the_same_draw_is_not_trained_twice(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=12, space={"kind": SPACE["kind"]}, sampler="random")
    trials, trained = bench.start(), []
    while (run := trials.take()) is not None:
        trained.append(run.key)
        bench.end(trials, run)
    assert len(trained) == 2 and len(bench.told) == 12


def test_trials_go_side_by_side_but_in_turn_where_they_share(tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    free = Bench(tmp_path / "free", trials=4).start("one", "two")
    runs = [free.take() for _ in range(9)]
    assert len({run.key for run in runs if run is not None}) == 8 and runs[-1] is None
    assert free.left == 8
    bench = Bench(tmp_path, trials=4, turn="frozen")
    trials = bench.start("one", "two")
    first = trials.take()
    assert first is not None and trials.take() is None
    bench.end(trials, first)
    second = trials.take()
    assert second is not None
    trials.again(second.key)
    again = trials.take()
    assert again == second, "what was cut short is taken up as it was"
    finish_from(bench, trials, again)


def finish_from(bench: Bench, trials: Trials, run: PlannedRun) -> None:
    bench.end(trials, run)
    finish(bench, trials)
    assert len(bench.told) == 8 and trials.left == 0


def test_failed_and_pruned_trials_are_told_and_never_chosen(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=3)
    trials = bench.start()
    ends: list[dict[str, Any]] = [
        {"state": "failed", "reason": "the loss is nan", "validation": None},
        {"reason": f"{PRUNED} 2: accuracy 9", "validation": 9.0},
        {"validation": 0.1},
    ]
    for fields in ends:
        run = trials.take()
        assert run is not None
        bench.end(trials, run, **fields)
    assert [each.state for each in bench.told] == ["failed", "pruned", "complete"]
    assert bench.told[0].reason == "the loss is nan"
    best = best_of(bench.told)
    assert best is bench.told[2]
    assert best_of(bench.told[:2]) is None and best_of([replace(best, value=float("nan"))]) is None
    less = [
        replace(best, greater=False, value=value, number=n) for n, value in enumerate([2, 1, 1])
    ]
    assert best_of(less) is less[1], "of equal ones the first"


class Watched:
    """As much of a run as pruning looks at."""

    def __init__(self, epochs: int) -> None:
        self.stop: str | None = None
        self.objective = type("O", (), {"monitor": "loss", "greater_is_better": False})
        training = type("T", (), {"epochs": epochs})
        self.recipe = type("R", (), {"training": training})


def test_hopeless_trials_are_pruned_by_the_median_and_the_last_epoch_never(tmp_path: Path) -> None:
    search = Search.model_validate({"space": {"x": [1, 2]}, "pruner": "median"})
    study = OptunaStudy(search, f"sqlite:///{tmp_path / 'optuna.db'}", "only", 3)
    stops: list[str | None] = []
    for losses in ([1.0, 0.5, 0.4],) * 6 + ([2.0, 9.0, 9.0], [0.9, 0.4, 9.0]):
        asked = study.ask({})
        run, watch = Watched(epochs=3), Pruning(study.place(asked.number))
        for epoch, loss in enumerate(losses, 1):
            watch.epoch_end(run, epoch, {"loss": loss})  # type: ignore[arg-type]
            if run.stop is not None:
                break
        study.tell(asked.number, None if run.stop else -losses[-1], pruned=run.stop is not None)
        stops.append(run.stop)
    assert stops == [None] * 6 + [f"{PRUNED} 1: loss 2", None]
    assert open_trial(study.place(7)).number == 7
    watch = Pruning(study.place(7))
    watch.epoch_end(Watched(3), 1, {"accuracy": 1.0})  # type: ignore[arg-type]
