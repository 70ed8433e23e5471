"""Areas and their metrics are torchmetrics'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from multigraft.runtime.answers.label_maps.areas import area_metrics, areas_of
from multigraft.runtime.answers.label_maps.classes import IGNORE


@pytest.mark.parametrize("seed", range(8))
def test_metrics_are_those_of_torchmetrics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 12))
    present = rng.choice(classes, size=rng.integers(1, classes + 1), replace=False)
    pairs = []
    for _ in range(4):
        size = rng.integers(1, 40, size=2)
        wanted = rng.choice(present, size=size).astype(np.uint8)
        found = np.where(rng.random(size) < 0.6, wanted, rng.integers(0, classes, size))
        wanted[rng.random(size) < 0.1] = IGNORE
        pairs.append((found.astype(np.uint8), wanted))
    areas = sum(areas_of(found, wanted, classes) for found, wanted in pairs)
    ours = area_metrics(np.asarray(areas), [str(each) for each in range(classes)])
    options = {"num_classes": classes, "ignore_index": IGNORE, "validate_args": False}
    theirs = {
        "miou": MulticlassJaccardIndex(average="macro", **options),
        "each": MulticlassJaccardIndex(average="none", **options),
        "pixel_accuracy": MulticlassAccuracy(average="micro", **options),
    }
    for metric in theirs.values():
        metric.set_dtype(torch.float64)
        for found, wanted in pairs:
            metric.update(
                torch.from_numpy(found.ravel()).long(), torch.from_numpy(wanted.ravel()).long()
            )
    each = theirs.pop("each").compute().tolist()
    assert [ours[f"iou_{number}"] for number in range(classes)] == pytest.approx(each, abs=1e-6)
    exact = {name: exactly(metric, name) for name, metric in theirs.items()}
    assert {name: ours[name] for name in exact} == pytest.approx(exact, abs=1e-9)


def exactly(metric: torch.nn.Module, name: str) -> float:
    """The metric of torchmetrics' own counts in double precision: it divides in single."""
    if name == "miou":
        matrix = metric.confmat.double()
        union = matrix.sum(0) + matrix.sum(1) - matrix.diag()
        shares = (matrix.diag() / union)[union > 0]
        assert float(shares.mean()) == pytest.approx(float(metric.compute()), abs=1e-6)
        return float(shares.mean())
    right, other = metric.tp.double().sum(), metric.fn.double().sum()
    assert float(right / (right + other)) == pytest.approx(float(metric.compute()), abs=1e-6)
    return float(right / (right + other))


def test_pictures_without_a_pixel_that_counts_cost_nothing() -> None:
    areas = areas_of(np.zeros((2, 2), np.uint8), np.full((2, 2), IGNORE, np.uint8), 2)
    assert area_metrics(areas, ["a", "b"]) == {
        "miou": 0.0,
        "pixel_accuracy": 0.0,
        "iou_a": 0.0,
        "iou_b": 0.0,
    }
