"""One label a row, without torch: which rows have one, and metrics of labels that were answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import KeptOfRow, Row, RowBrief, RowObjective
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError, did_you_mean, shown
from multigraft.models.tasks.class_scores import calibration_error, confused, macro_scores
from multigraft.models.tasks.row_losses import cross_entropy
from multigraft.models.tasks.shared import label_fault, label_name


class ClassRows(RowObjective):
    """Rows with one label each."""

    monitor = "accuracy"
    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label_name(label): index for index, label in enumerate(self.labels)}
        self.smoothing: float = brief.options["label_smoothing"]
        self.weights = _class_weights(brief)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The label as an index. Raises RowError for one that training never saw."""
        value = row.get("label")
        fault = label_fault(value)
        if fault is not None:
            raise RowError(fault, column="label")
        name = label_name(value)
        if name not in self.index:
            raise RowError(
                f"label {shown(name)} was not seen in training; {did_you_mean(name, self.labels)}",
                column="label",
            )
        return {"label": np.asarray(self.index[name], dtype=np.int64)}

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """Loss, answer, target and confidence, from ``probabilities``, and ``logits`` where they
        are given."""
        (found,), label = outputs, int(arrays["label"])
        probabilities = found["probabilities"]
        logits = found.get("logits")
        if logits is None:  # the mean of several views
            logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        answer = int(probabilities.argmax())
        return {
            "loss": cross_entropy(logits, label, weights=self.weights, smoothing=self.smoothing),
            "weight": 1.0 if self.weights is None else float(self.weights[label]),
            "answer": np.int64(answer),
            "target": np.int64(label),
            "confidence": np.float32(probabilities[answer]),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Accuracy, macro precision, recall and F1, micro F1, expected calibration error, loss."""
        answer, target = kept["answer"], kept["target"]
        accuracy = float((answer == target).mean())
        return {
            **super().summarise(kept),
            "accuracy": accuracy,
            **macro_scores(answer, target, len(self.labels)),
            "f1_micro": accuracy,  # of one label a row they are the same number
            "calibration_error": calibration_error(kept["confidence"], answer == target),
        }

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The share of the rows' most frequent label."""
        counts = np.bincount(kept["target"], minlength=len(self.labels))
        most = int(counts.argmax())
        answer = f"always answering {self.labels[most]!r}, their most frequent label"
        return Baseline("accuracy", float(counts[most] / counts.sum()), answer)

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The confusion matrix as its cells, and each row's label and answer by name."""
        cells = confused(kept["answer"], kept["target"], len(self.labels))
        return {
            "confusion": {"labels": list(self.labels), "cells": cells},
            "expected": [self.labels[index] for index in kept["target"]],
            "answered": [self.labels[index] for index in kept["answer"]],
            "correct": (kept["answer"] == kept["target"]).tolist(),
        }


def _class_weights(brief: RowBrief) -> np.ndarray | None:
    """N / (classes * count) for each class, float32: the ``balanced`` rule of scikit-learn."""
    if brief.options["class_weights"] == "none":
        return None
    counts = np.array(brief.targets["counts"], dtype=np.float32)
    weights: np.ndarray = counts.sum() / (len(counts) * counts)
    return weights
