"""Metrics equal scikit-learn's, and intervals cover what they should."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs
from torch import nn

from multigraft.contracts.objectives import Brief
from multigraft.contracts.report import Report
from multigraft.errors import DataError, RowError
from multigraft.evaluation.measure import _gathered
from multigraft.evaluation.report.confusion import confusion_of
from multigraft.evaluation.report.page import render
from multigraft.evaluation.statistics import intervals, percentile
from multigraft.models.tasks.class_scores import macro_scores
from multigraft.models.tasks.classification import Classification
from multigraft.models.tasks.shared import label_spec

LABELS = ["a", "b", "c"]


def objective(labels: list[str] = LABELS, **options: Any) -> Classification:
    defaults = {"label_smoothing": 0.0, "class_weights": "none", "dropout": 0.0}
    return Classification(
        Brief(
            backbone=nn.Identity(),
            reader=None,  # type: ignore[arg-type]
            targets={"labels": labels, "counts": [50, 30, 20]},
            options={**defaults, **options},
            modality="any",
        )
    )


@pytest.fixture
def kept() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 400)
    answer = np.where(rng.random(400) < 0.7, target, rng.integers(0, 3, 400))
    return {
        "target": target,
        "answer": answer,
        "confidence": rng.uniform(0.34, 1, 400).astype(np.float32),
        "loss": rng.random(400),
        "weight": np.ones(400),
    }


def test_what_is_kept_of_a_row_may_have_any_shape() -> None:
    """Gathered from processes of which each has its own batches' rows, and drawn row by row."""
    rng = np.random.default_rng(0)
    whole = {"counts": rng.integers(1, 9, (9, 3)), "loss": rng.random(9)}
    batches = [np.array([0, 3, 5]), np.array([1, 2]), np.array([4, 8]), np.array([6, 7])]

    def alone(rank: int) -> dict[str, np.ndarray]:
        own = np.concatenate(batches[rank::2])
        part = {name: np.zeros_like(array) for name, array in whole.items()}
        for name, array in part.items():
            array[own] = whole[name][own]
        return part

    world: Any = SimpleNamespace(size=2, gather=lambda kept: [alone(0), alone(1)])
    found = _gathered(alone(0), batches, world)
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array)
    ratio = Ratio()
    measure = intervals(ratio, whole, count=400, confidence=0.9, seed=0)["ratio"]
    drawn = [
        ratio.summarise({"counts": whole["counts"][rng.integers(0, 9, 9)]})["ratio"]
        for _ in range(400)
    ]
    assert (measure.low, measure.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=0.03)


class Ratio:
    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        right, _, of = kept["counts"].sum(0).tolist()
        return {"ratio": right / (right + of)}


def test_metrics_equal_scikit_learns(kept: dict[str, np.ndarray]) -> None:
    found = objective().summarise(kept)
    truth, answer = kept["target"], kept["answer"]
    expected = {
        "accuracy": theirs.accuracy_score(truth, answer),
        "precision_macro": theirs.precision_score(truth, answer, average="macro"),
        "recall_macro": theirs.recall_score(truth, answer, average="macro"),
        "f1_macro": theirs.f1_score(truth, answer, average="macro"),
        "f1_micro": theirs.f1_score(truth, answer, average="micro"),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    shown = confusion_of(objective().details(kept)["confusion"])
    assert [list(row) for row in shown.matrix] == theirs.confusion_matrix(truth, answer).tolist()


def test_metrics_of_labels_that_do_not_occur_equal_scikit_learns() -> None:
    """The test rows hold a few of many labels, and answers that no row expects."""
    rng = np.random.default_rng(1)
    target, answer = rng.integers(0, 40, 300), rng.integers(20, 60, 300)
    found = macro_scores(answer, target, 4000)
    for name, score in (
        ("precision_macro", theirs.precision_score),
        ("recall_macro", theirs.recall_score),
        ("f1_macro", theirs.f1_score),
    ):
        assert found[name] == pytest.approx(
            score(target, answer, average="macro", zero_division=0)
        ), name


def test_many_labels_cost_no_more_than_themselves() -> None:
    """With 20,000 labels their square would be 3 GB of numbers, in every resample."""
    labels, rows, rng = 20_000, 2_000, np.random.default_rng(2)
    target = rng.integers(0, labels, rows)
    answer = np.where(rng.random(rows) < 0.5, target, 7)
    kept = {
        "target": target,
        "answer": answer,
        "confidence": rng.random(rows).astype(np.float32),
        "loss": rng.random(rows),
        "weight": np.ones(rows),
    }
    many = objective(labels=[f"label {index}" for index in range(labels)])
    began = time.perf_counter()
    measured = intervals(many, kept, count=50, confidence=0.95, seed=0)
    shown = confusion_of(many.details(kept)["confusion"])
    assert time.perf_counter() - began < 5
    assert measured["accuracy"].value == pytest.approx((answer == target).mean())
    assert shown.matrix == ()
    assert {pair.answered for pair in shown.frequent} == {"label 7"}
    report = Report(verb="evaluate", title="many", confusion=shown)
    assert len(json.dumps(report.to_dict())) < 1_000_000
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).confusion == shown
    assert "label 7" in render([report], title="many")


def test_calibration_error_is_the_weighted_gap_in_bins(kept: dict[str, np.ndarray]) -> None:
    right = (kept["answer"] == kept["target"]).astype(float)
    edges = np.linspace(0, 1, 16)
    bins = np.clip(np.digitize(kept["confidence"], edges) - 1, 0, 14)
    gap = sum(
        abs(right[bins == b].mean() - kept["confidence"][bins == b].mean()) * (bins == b).mean()
        for b in range(15)
        if (bins == b).any()
    )
    assert objective().summarise(kept)["calibration_error"] == pytest.approx(gap, abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_weights": "balanced"}])
def test_the_loss_is_torchs(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    logits, label = torch.randn(16, 3), torch.randint(0, 3, (16,))
    ours = objective(**options)
    weight = None
    if options.get("class_weights") == "balanced":
        weight = torch.tensor([100 / (3 * count) for count in (50, 30, 20)])
    expected = nn.functional.cross_entropy(
        logits, label, weight=weight, label_smoothing=options.get("label_smoothing", 0.0)
    )
    assert ours.loss({"logits": logits}, {"label": label}).mean().item() == pytest.approx(
        expected.item()
    )


def test_intervals_hold_the_value_and_shrink_with_rows(kept: dict[str, np.ndarray]) -> None:
    def width(rows: int) -> float:
        part = {name: values[:rows] for name, values in kept.items()}
        measure = intervals(objective(), part, count=200, confidence=0.95, seed=0)["accuracy"]
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high
        return measure.high - measure.low

    assert width(400) < width(40)


def test_the_percentile_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        measure = percentile(
            (rng.random(100) < 0.7).astype(float), count=200, confidence=0.9, seed=1
        )
        covered += measure.low <= 0.7 <= measure.high  # type: ignore[operator]
    assert 0.82 <= covered / 200 <= 0.96


@pytest.mark.parametrize("rows", [40, 100, 400])
@pytest.mark.parametrize(
    "name", ["calibration_error", "accuracy", "f1_macro", "recall_macro", "loss"]
)
def test_every_metric_lies_in_its_interval(name: str, rows: int) -> None:
    """A calibration error is larger on resamples than on their rows, and macro scores miss rare
    labels."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        confidence = rng.beta(8, 2, rows)
        target = rng.choice(3, rows, p=[0.8, 0.15, 0.05])
        answer = np.where(rng.random(rows) < confidence, target, (target + 1) % 3)
        measure = intervals(
            objective(),
            {
                "target": target,
                "answer": answer,
                "confidence": confidence.astype(np.float32),
                "loss": rng.random(rows),
                "weight": np.ones(rows),
            },
            count=100,
            confidence=0.95,
            seed=seed,
        )[name]
        assert measure.low is not None
        assert measure.high is not None
        assert 0 <= measure.low <= measure.value <= measure.high <= 1


def test_an_interval_with_bias_covers_what_the_metric_is_on_average() -> None:
    """The mean over as many rows is covered about as often as it says; before, hardly ever."""
    rng = np.random.default_rng(0)

    def drawn() -> dict[str, np.ndarray]:
        confidence = rng.beta(8, 2, 100)
        answer = np.where(rng.random(100) < confidence, 0, 1)
        return {
            "target": np.zeros(100, np.int64),
            "answer": answer,
            "confidence": confidence.astype(np.float32),
            "loss": np.ones(100),
            "weight": np.ones(100),
        }

    mean = np.mean([objective().summarise(drawn())["calibration_error"] for _ in range(200)])
    covered = 0
    for seed in range(50):
        measure = intervals(objective(), drawn(), count=60, confidence=0.9, seed=seed)[
            "calibration_error"
        ]
        covered += measure.low <= mean <= measure.high  # type: ignore[operator]
    assert 0.76 <= covered / 50 <= 1


def test_no_bootstrap_gives_no_interval(kept: dict[str, np.ndarray]) -> None:
    assert intervals(objective(), kept, count=0, confidence=0.95, seed=0)["accuracy"].low is None


def test_labels_are_named_alike_whatever_the_file_held() -> None:
    assert label_spec({"label": [2.0, 10, "2", None, 1]})["labels"] == ["1", "2", "10"]
    digits = ["9" * 5000, "1" + "0" * 5000, "7", "07", "٣", "x"]
    assert label_spec({"label": digits})["labels"] == ["٣", "07", "7", digits[0], digits[1], "x"]
    with pytest.raises(DataError, match="alone in the training rows"):
        label_spec({"label": ["x", "x"]})


def test_an_unseen_label_is_a_row_error() -> None:
    with pytest.raises(RowError, match=r"label 'bb' was not seen in training; allowed: a, b, c"):
        objective().encode({"label": "bb"}, {})
    with pytest.raises(RowError, match="the label is missing"):
        objective().encode({"label": None}, {})
