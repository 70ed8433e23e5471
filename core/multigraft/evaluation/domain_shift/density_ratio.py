"""Density ratio: weights by which the rows of one domain count as those of another would
(Shimodaira 2000), from a classifier of the two (Bickel et al. 2007)."""

from __future__ import annotations

import numpy as np

from multigraft.evaluation.transferability.probes import folds_of, logistic_probe

STRENGTHS = (100.0, 10.0, 1.0, 0.1, 0.01)
"""L2 of the classifier: where nothing tells the domains apart, the strongest makes all equal."""


def density_ratio(
    source: np.ndarray, target: np.ndarray, *, clip: float = 10.0, seed: int = 0
) -> np.ndarray:
    """A weight for each row of ``source`` [rows]: how much more probable its features [rows, width]
    are in ``target``. Weights lie between 1 / ``clip`` and ``clip`` before they are divided by
    their mean.

    It is the odds of a logistic regression that did not learn from the row, times the ratio of the
    two numbers of rows.
    """
    labels = np.repeat([0, 1], [len(source), len(target)])
    fold = folds_of(labels, len(labels), seed=seed)
    both = np.concatenate([source, target])
    probable = logistic_probe(both, labels, fold, strengths=STRENGTHS)[: len(source)]
    odds = probable[:, 1] / np.maximum(probable[:, 0], np.finfo(np.float64).tiny)
    weights = np.clip(odds * (len(source) / len(target)), 1 / clip, clip)
    scaled: np.ndarray = weights / weights.mean()
    return scaled


def effective_rows(weights: np.ndarray) -> float:
    """How many equally weighted rows are worth as much as rows with these weights (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())
