"""Scores of one backbone: each as a number, and as a function of some of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from multigraft.choosing.targets import Targets
from multigraft.evaluation.transferability import (
    folds_of,
    leave_one_out,
    leep,
    logistic_probe,
    logme,
    nce,
    regularised_h_score,
    ridge_probe,
)
from multigraft.models.tasks.label_set_scores import mean_average_precision

SCORES = {
    "logme": "LogME",
    "h_score": "H-score",
    "knn": "k-NN",
    "linear_probe": "linear probe",
    "leep": "LEEP",
    "nce": "NCE",
}
"""Every score, and how tables call it."""
FITTED = ("logme", "h_score")
"""Those that are fitted anew to some of the rows, which takes its time."""
OnRows = Callable[[np.ndarray], float]
"""A score on some rows, by their numbers."""


@dataclass(frozen=True)
class Sample:
    """What the scores are made of."""

    features: np.ndarray
    """[rows, width]"""
    targets: Targets
    source: np.ndarray | None = None
    """[rows, classes]: probabilities of the classes that the weights were trained for."""

    def of(self, rows: np.ndarray) -> Sample:
        """Some of its rows."""
        source = None if self.source is None else self.source[rows]
        return Sample(self.features[rows], self.targets.of(rows), source)


def scores_of(sample: Sample, *, neighbours: int, seed: int) -> Mapping[str, OnRows]:
    """The scores that are defined for a sample, by name.

    The answers of neighbours and probe are made once, of all rows, and scored on those asked for.
    """
    found: dict[str, OnRows] = {"logme": lambda rows: _logme(sample.of(rows))}
    if sample.targets.kind != "numbers":
        found["h_score"] = lambda rows: _by_label(regularised_h_score, sample.of(rows), None)
    found |= {
        name: _agreement(answers, sample.targets)
        for name, answers in _answers(sample, neighbours, seed).items()
    }
    if sample.source is not None and sample.targets.kind != "numbers":
        found["leep"] = lambda rows: _by_label(leep, sample.of(rows), "probabilities")
        found["nce"] = lambda rows: _by_label(nce, sample.of(rows), "classes")
    return found


def _logme(sample: Sample) -> float:
    return logme(sample.features, sample.targets.columns)


def _by_label(
    score: Callable[[np.ndarray, np.ndarray], float], sample: Sample, source: str | None
) -> float:
    """A score of labels; of label sets the mean over the labels that some rows have and others do
    not."""
    given = sample.features
    if source is not None:
        assert sample.source is not None
        given = sample.source if source == "probabilities" else sample.source.argmax(1)
    values = sample.targets.values
    if sample.targets.kind == "labels":
        return score(given, values)
    varied = [column for column in values.T if column.any() and not column.all()]
    return float(np.mean([score(given, column) for column in varied])) if varied else 0.0


def _answers(sample: Sample, neighbours: int, seed: int) -> dict[str, np.ndarray]:
    """What nearest neighbours and a cross-validated probe answer of each row, [rows, columns]."""
    targets, features = sample.targets, sample.features
    columns = targets.columns
    labels = targets.values if targets.kind == "labels" else None
    fold = folds_of(labels, len(features), seed=seed)
    probed = (
        ridge_probe(features, columns, fold)
        if labels is None
        else logistic_probe(features, labels, fold)
    )
    return {
        "knn": leave_one_out(features, columns, neighbours=min(neighbours, len(features) - 1)),
        "linear_probe": probed,
    }


def _agreement(answers: np.ndarray, targets: Targets) -> OnRows:
    """Accuracy of labels, mean average precision of label sets, R2 of numbers."""
    if targets.kind == "labels":
        right = answers.argmax(1) == targets.values
        return lambda rows: float(right[rows].mean())
    if targets.kind == "label sets":
        from_zero = answers - answers.min(0)  # which keeps their order, all that counts
        return lambda rows: mean_average_precision(from_zero[rows], targets.values[rows])
    return lambda rows: _explained(answers[rows], targets.values[rows])


def _explained(answers: np.ndarray, wanted: np.ndarray) -> float:
    left = ((answers - wanted) ** 2).sum(0)
    whole = ((wanted - wanted.mean(0)) ** 2).sum(0)
    return float(np.mean(1 - left / np.maximum(whole, np.finfo(np.float64).tiny)))
