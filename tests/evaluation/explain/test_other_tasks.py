"""Regression and several labels of a table's rows are explained as one label is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft.errors import PredictError

FIELDS = {
    "backbone": "mlp-plr-tiny",
    "training": {"steps": 60, "batch_size": 32, "learning_rate": 0.01},
    "export": {"precisions": ["fp32"]},
    "quiet": True,
}


def rows(cell: Any) -> list[dict[str, Any]]:
    """Two numbers, of which one tells; ``cell`` makes the target of it."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(120, 2)).tolist()
    return [{"telling": one, "noise": other, **cell(one)} for one, other in drawn]


def made(task: str, cell: Any, folder: Path) -> mg.Run:
    return mg.finetune(task=task, data=rows(cell), output=folder / "run", **FIELDS)


def test_a_number_in_its_unit(tmp_path: Path) -> None:
    run = made("table-regression", lambda one: {"target": 100 + 10 * one}, tmp_path)
    raw = {"telling": 1.5, "noise": 0.2}
    alone = mg.load(run.export(quiet=True).files["bundle"]).explain(raw)
    (row,) = run.explain(
        [raw], method=["occlusion", "integrated-gradients"], sanity=False, quiet=True
    ).rows
    assert alone.of == "target"
    assert 100 < alone.value < 130
    np.testing.assert_allclose(alone.weights, row.by["occlusion"].weights, rtol=1e-4, atol=1e-4)
    for found in row.by.values():
        telling, noise = found.weights
        assert telling > 2 * abs(noise)
    integrated = row.by["integrated-gradients"]
    change = integrated.value - integrated.hidden
    assert integrated.weights.sum() == pytest.approx(change, rel=0.011)


def test_one_of_several_labels(tmp_path: Path) -> None:
    cells = lambda one: {"labels": ["high" if one > 0 else "low", "all"]}  # noqa: E731
    run = made("table-multilabel", cells, tmp_path)
    predictor = mg.load(run.export(quiet=True).files["bundle"])
    raw = {"telling": 1.5, "noise": 0.2}
    high, low = (predictor.explain(raw, of=name) for name in ("high", "low"))
    assert high.weights[0] > 0 > low.weights[0]
    assert predictor.explain(raw).of == next(iter(predictor.predict(raw)["scores"]))
    with pytest.raises(PredictError, match="no label 'hgih'; did you mean 'high'"):
        run.explain([raw], of="hgih", quiet=True)
