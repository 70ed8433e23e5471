"""Importance weighting: rows count as another domain's would, in steps and in the solved layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import multigraft as mg
import multigraft_series
from helpers.toys import write_rows
from multigraft.contracts.objectives import RowLoss
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError
from multigraft.evaluation.domain_shift import effective_rows
from multigraft.runs.run import Run
from multigraft.training.importance import WEIGHTS
from multigraft.training.mixed_loss import weighted
from multigraft.training.probe import computed_features


@pytest.fixture
def rising(tmp_path: Path) -> Path:
    """Rows of another domain, nearly all of them rising, and without labels."""
    lines = write_rows(tmp_path / "all.csv", rows=160, seed=5).read_text().splitlines()[1:]
    chosen = [line.partition(",")[0] for line in lines if line.endswith("up")]
    path = tmp_path / "rising.csv"
    path.write_text("\n".join(["series", *chosen]) + "\n")
    return path


def weighing(rows: Path, toward: Path, **more: Any) -> dict[str, Any]:
    return {"train": str(rows), "importance": {"toward": str(toward), **more}}


def test_rows_like_the_other_domain_count_more(
    finetune: Callable[..., Run], rows: Path, rising: Path
) -> None:
    run = finetune(data=weighing(rows, rising))
    weights = run.row_weights
    assert weights is not None
    labels = np.array(run.rows["train"].column("label"))
    assert weights.mean() == pytest.approx(1)
    assert weights[labels == "up"].mean() > 1.3 * weights[labels == "down"].mean()
    assert run.report is not None
    worth = f"{effective_rows(weights):,.0f} equal ones"
    assert any("importance toward" in note and worth in note for note in run.report.notes)
    np.testing.assert_array_equal(np.load(run.folder / WEIGHTS), weights)


def test_a_weighted_loss_is_that_of_rows_that_are_there_as_often() -> None:
    total, weight = torch.tensor([1.0, 4.0, 2.0]), torch.tensor([1.0, 2.0, 1.0])
    found = weighted(RowLoss(total, weight), np.array([2.0, 1.0, 3.0]))
    often = torch.tensor([0, 0, 1, 2, 2, 2])
    assert found.mean() == pytest.approx(float(RowLoss(total[often], weight[often]).mean()))
    plain = RowLoss(total, weight)
    assert weighted(plain, None) is plain


def test_the_solved_layer_is_scikit_learns_with_those_weights(
    finetune: Callable[..., Run], rows: Path, rising: Path
) -> None:
    run = finetune(
        strategy="linear-probe",
        data={**weighing(rows, rising), "split": {"validation": 0.2, "test": 0.2}},
        training={"epochs": 1, "batch_size": 16, "precision": "fp32"},
    )
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    strength = next(line["solved"] for line in lines if "solved" in line)
    features = computed_features(run, run.rows["train"])
    labels = [int(run.rows["train"][row]["label"]) for row in range(len(features))]
    mean, scale = features.mean(0), features.std(0)
    given = (features - mean) / np.maximum(scale, 0.01 * scale.mean())
    # two classes of their own weights are one twice as long: half as much of the penalty
    oracle = LogisticRegression(C=2 / (strength * len(labels)), max_iter=5000, tol=1e-8)
    oracle.fit(given, labels, sample_weight=run.row_weights)
    with torch.no_grad():
        found = run.graft.head.linear(torch.from_numpy(features)).softmax(1).numpy()
    assert np.abs(found - oracle.predict_proba(given)).max() < 2e-3
    plain = oracle.fit(given, labels).predict_proba(given)
    assert np.abs(found - plain).max() > 5e-3


def test_a_run_that_goes_on_has_the_weights_it_began_with(
    finetune: Callable[..., Run], engine: Engine, rows: Path, rising: Path, tmp_path: Path
) -> None:
    class StopsOnce:
        @mg.hookimpl
        def step_end(self, run: Run, step: int, logs: Any) -> None:
            if step == 3:
                raise KeyboardInterrupt

    whole = finetune(data=weighing(rows, rising), output=str(tmp_path / "whole"))
    stopping = Engine([multigraft_series, StopsOnce()], discover=False)
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": weighing(rows, rising),
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "checkpoint_every": 1},
        "output": str(tmp_path / "cut"),
    }
    with pytest.raises(KeyboardInterrupt):
        stopping.start(recipe, "finetune")
    rising.write_text("series\n" + "9 9 9\n" * 50)  # what it began with stays
    again = engine.resume(tmp_path / "cut")
    np.testing.assert_array_equal(again.row_weights, whole.row_weights)
    for name, value in whole.graft.state_dict().items():
        assert torch.equal(again.graft.state_dict()[name], value), name


def test_mistakes_are_told(finetune: Callable[..., Run], rows: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        finetune(data=weighing(rows, tmp_path / "none.csv"))
    with pytest.raises(RecipeError, match="clip"):
        finetune(data=weighing(rows, rows, clip=0.5))
