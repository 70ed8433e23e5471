"""Training defaults: what the recipe leaves open follows from what learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from multigraft.contracts.plan import Plan, backbone_of, block_of
from multigraft.models.adapters import ADAPTER
from multigraft.training.standardization import lone_linear

EPOCHS = 3.0
PROBE_EPOCHS = 10.0
"""Of a linear layer alone: the frozen part is computed once, so that epochs are almost free."""
MOST_EPOCHS = 200.0
"""However few the rows are."""
PROBE_RATE, PROBE_WIDTH = 3e-3, 384
"""Of a linear layer alone that reads as many standardised features
(`multigraft.training.standardization`)."""


def default_epochs(plan: Plan, least: float = 0) -> float:
    """The passes over the training rows where the recipe gives none: at ``least`` so many, of few
    rows and within `MOST_EPOCHS`."""
    usual = EPOCHS if lone_linear(plan) is None else PROBE_EPOCHS
    return max(usual, min(math.ceil(least), MOST_EPOCHS))


def default_rate(plan: Plan, *, scratch: bool) -> float:
    """The peak learning rate where the recipe gives none, for AdamW.

    3e-3 where one linear layer learns alone on 384 features, which are standardised for it, and in
    inverse proportion to the root of their number elsewhere, as sums of them grow by it, between
    5e-4 and 2e-2. 1e-3 elsewhere where no weight of the backbone learns in full (other heads,
    adapters, biases). Otherwise 5e-5 for a pretrained and 1e-4 for a new backbone at BERT-base's
    width of 768, as their papers have it, and in inverse proportion to the width elsewhere, between
    5e-5 and 2e-3.
    """
    layer = lone_linear(plan)
    if layer is not None:
        return min(max(PROBE_RATE * math.sqrt(PROBE_WIDTH / layer.in_features), 5e-4), 2e-2)
    learning = {
        branch: [name for name in block_of(plan.graft, branch) if plan.rules[name].learns]
        for branch in plan.by_branch()
    }
    trained = {branch: names for branch, names in learning.items() if not _light(names)}
    if not trained:
        return 1e-3
    widths: Any = [backbone_of(plan.graft, branch).width for branch in trained]
    width = max(widths)  # of several branches the rate that suits all
    return float(min(max((1e-4 if scratch else 5e-5) * 768 / width, 5e-5), 2e-3))


def _light(names: Sequence[str]) -> bool:
    """Whether of a backbone only adapters and biases learn, or nothing."""
    return all(ADAPTER in name or name.endswith("bias") for name in names)
