"""Losses and scores without torch are torch's and torchmetrics'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_calibration_error

from multigraft.models.tasks.class_scores import calibration_error
from multigraft.models.tasks.regression import LOSSES
from multigraft.models.tasks.row_losses import ERRORS, binary_cross_entropy, cross_entropy

RNG = np.random.default_rng(0)
LOGITS = (30 * RNG.standard_normal((20, 5))).astype(np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_torchs(smoothing: float, weighted: bool) -> None:
    weights = np.linspace(0.5, 2, 5, dtype=np.float32) if weighted else None
    labels = RNG.integers(0, 5, 20)
    found = [
        cross_entropy(row, label, weights=weights, smoothing=smoothing)
        for row, label in zip(LOGITS, labels.tolist(), strict=True)
    ]
    wanted = F.cross_entropy(
        torch.from_numpy(LOGITS),
        torch.from_numpy(labels),
        weight=None if weights is None else torch.from_numpy(weights),
        label_smoothing=smoothing,
        reduction="none",
    )
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-6, atol=1e-6)


def test_binary_cross_entropy_is_torchs() -> None:
    held = RNG.random(LOGITS.shape) < 0.5
    wanted = F.binary_cross_entropy_with_logits(
        torch.from_numpy(LOGITS), torch.from_numpy(held).float(), reduction="none"
    )
    np.testing.assert_allclose(binary_cross_entropy(LOGITS, held), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_errors_are_torchs(name: str) -> None:
    error = np.array([-3.0, -1.0, -0.25, 0.0, 0.5, 2.0])
    wanted = LOSSES[name](torch.from_numpy(error), torch.zeros(6).double(), reduction="none")
    np.testing.assert_allclose(ERRORS[name](error), wanted.numpy(), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 40, 2000])
@pytest.mark.parametrize("bounds", [False, True])
def test_calibration_error_is_torchmetrics(rows: int, bounds: bool) -> None:
    sure = RNG.random(rows, dtype=np.float32)
    if bounds:  # where bins meet
        sure = RNG.choice(torch.linspace(0, 1, 16).numpy(), rows)
    right = RNG.random(rows) < sure
    wanted = binary_calibration_error(
        torch.from_numpy(sure), torch.from_numpy(right.astype(np.int64)), n_bins=15
    )
    assert calibration_error(sure, right) == pytest.approx(float(wanted), abs=1e-6)
