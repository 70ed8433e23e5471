"""What is said of held-out pictures: the loss, and how much of a plain answer's it takes away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from multigraft.contracts.report import Baseline

PLAIN = "plain"
"""What is kept of each row besides loss and weight: the loss of the plain answer."""


def summarised(kept: Mapping[str, np.ndarray]) -> dict[str, float]:
    """``loss``, and ``skill``: 1 - loss / that of the plain answer (0: no better, 1: perfect)."""
    loss, plain = _mean(kept, "loss"), _mean(kept, PLAIN)
    return {"loss": loss, "skill": 1 - loss / plain if plain > 0 else 0.0}


def plain_answer(kept: Mapping[str, np.ndarray], answer: str) -> Baseline:
    """The loss of an answer that learned nothing."""
    return Baseline("loss", _mean(kept, PLAIN), answer)


def _mean(kept: Mapping[str, np.ndarray], name: str) -> float:
    return float(kept[name].sum()) / max(float(kept["weight"].sum()), 1e-12)
