from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

import multigraft as mg
import multigraft_series
from multigraft.data.labelled_rows import labelled_rows
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError
from multigraft.runs.run import Run
from multigraft.system.compute.processes import World
from multigraft.training.probe import computed_features

TRAINING = {"epochs": 3, "learning_rate": 0.01, "checkpoint_every": 1, "precision": "fp32"}


@pytest.fixture
def pretrain(rows: Path, tmp_path: Path) -> Callable[..., Run]:
    """Pretrain the toy; keyword arguments change the evaluation."""

    def start(
        name: str, data: Any = None, plugins: tuple[object, ...] = (), **evaluation: Any
    ) -> Run:
        recipe = {
            "task": "series-denoising",
            "backbone": "tcn-tiny",
            "data": str(rows) if data is None else data,
            "training": TRAINING,
            "evaluation": {"split": "validation", "bootstrap": 0, **evaluation},
            "output": str(tmp_path / name),
        }
        engine = Engine([multigraft_series, *plugins], discover=False, strict=True)
        return engine.start(recipe, "pretrain")

    return start


def only_every(count: int, rows: Path) -> Path:
    """The same rows, of which one in so many keeps its label."""
    with rows.open(newline="") as file:
        header, *lines = csv.reader(file)
    place = header.index("label")
    for number, line in enumerate(lines):
        line[place] = line[place] if number % count == 0 else ""
    path = rows.with_name("partly.csv")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def test_each_validation_has_the_figures_that_evaluate_gives(pretrain: Callable[..., Run]) -> None:
    run = pretrain("probed", probe=100_000)
    assert len(run.history) == 3
    assert all("knn_accuracy" in entry["metrics"] for entry in run.history)
    (best,) = [e["metrics"] for e in run.history if e["step"] == run.facts["best"]["step"]]
    found = run.evaluate().metrics
    for name in ("knn_accuracy", "linear_probe_accuracy", "loss"):
        assert best[name] == pytest.approx(found[name].value, abs=1e-6), name


def test_labels_change_nothing_that_is_learned(pretrain: Callable[..., Run], rows: Path) -> None:
    probed, plain = pretrain("probed", probe=20), pretrain("plain")
    for name, value in plain.graft.state_dict().items():
        assert torch.equal(probed.graft.state_dict()[name], value), name
    assert probed.facts["best"] == plain.facts["best"]
    for one, other in zip(probed.history, plain.history, strict=True):
        assert one["metrics"].items() > other["metrics"].items()


def test_a_run_that_goes_on_has_the_same_figures(pretrain: Callable[..., Run]) -> None:
    class Interrupts:
        @mg.hookimpl
        def step_end(self, step: int) -> None:
            if step == 4:
                raise KeyboardInterrupt

    whole = pretrain("whole", probe=20)
    with pytest.raises(KeyboardInterrupt):
        pretrain("stopped", plugins=(Interrupts(),), probe=20)
    folder = whole.folder.with_name("stopped")
    resumed = Engine([multigraft_series], discover=False).resume(folder)
    assert resumed.metrics_file.read_bytes() == whole.metrics_file.read_bytes()


def test_some_rows_have_labels(pretrain: Callable[..., Run], rows: Path) -> None:
    run = pretrain("partly", str(only_every(3, rows)), probe=10)
    known = labelled_rows(run.rows["train"])
    fewer, again = (labelled_rows(run.rows["train"], most=10, seed=3) for _ in range(2))
    assert known is not None
    assert fewer is not None
    assert again is not None
    assert 10 < len(known.labels) < len(run.rows["train"]) / 2
    assert len(fewer.labels) == len(fewer.rows) == 10
    np.testing.assert_array_equal(fewer.rows.numbers, again.rows.numbers)
    cells = run.rows["train"].column("label")
    assert list(fewer.labels) == [cells[number] for number in fewer.rows.numbers.tolist()]
    assert {"knn_accuracy", "linear_probe_accuracy"} <= run.history[-1]["metrics"].keys()
    assert "knn_accuracy" in run.evaluate().metrics


def test_processes_share_the_rows(pretrain: Callable[..., Run]) -> None:
    run = pretrain("shared")
    two = SimpleNamespace(
        size=2, share=lambda batches: batches, gather=lambda parts: [parts[::2], parts[1::2]]
    )
    run.recipe = run.recipe.model_copy(
        update={"training": run.recipe.training.model_copy(update={"batch_size": 7})}
    )
    rows = run.rows["train"]
    alone, shared = computed_features(run, rows), computed_features(run, rows, cast("World", two))
    np.testing.assert_array_equal(alone, shared)


def test_a_run_without_labels_is_refused(
    pretrain: Callable[..., Run], rows: Path, finetune: Callable[..., Run]
) -> None:
    with pytest.raises(DataError, match=r"no row has a label in a column 'label'.*data\.columns"):
        pretrain("none", {"train": str(rows), "columns": {"name": "label"}}, probe=10)
    with pytest.raises(DataError, match="there are none"):
        pretrain("whole", {"train": str(rows), "split": {"validation": 0}}, probe=10)
    with pytest.raises(DataError, match="all labels that are drawn"):
        pretrain("one", probe=1)
    with pytest.raises(RecipeError, match=r"evaluation\.probe: .* learns from its labels"):
        finetune(evaluation={"probe": 10})
