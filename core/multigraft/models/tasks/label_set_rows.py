"""Any number of labels a row, without torch: which rows have which, and metrics of those that were
answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import KeptOfRow, Row, RowBrief, RowObjective
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import RowError, did_you_mean, shown
from multigraft.models.tasks.label_set_scores import (
    HALF,
    best_thresholds,
    constant_f1,
    label_table,
    mean_average_precision,
    ranking_precision,
    set_scores,
)
from multigraft.models.tasks.label_sets import COLUMN, labels_in
from multigraft.models.tasks.row_losses import binary_cross_entropy
from multigraft.runtime.answers.multilabel import above, thresholds_of

SHOWN = "labels on these rows"


class LabelSetRows(RowObjective):
    """Rows with any number of labels each.

    Until the thresholds are settled, in training, an epoch is judged with those that its own
    validation rows would settle: so the epoch is kept whose F1 will be the highest.
    """

    monitor = "f1_micro"
    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label: index for index, label in enumerate(self.labels)}
        self.thresholds = thresholds_of(brief.targets, len(self.labels))
        self.settled = "thresholds" in brief.targets
        self.weights = _weights(brief)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """Which labels the row has, [labels]. Raises RowError for one that training never saw."""
        held = np.zeros(len(self.labels), dtype=bool)
        for label in labels_in(row.get(COLUMN), self.brief.options):
            if label not in self.index:
                raise RowError(
                    f"label {shown(label)} was not seen in training; "
                    f"{did_you_mean(label, self.labels)}",
                    column=COLUMN,
                )
            held[self.index[label]] = True
        return {"held": held}

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """Loss, the labels' probabilities and which the row has, and how well it ranks them, from
        ``probabilities``, and ``logits`` where they are given."""
        (found,), held = outputs, arrays["held"]
        probabilities = found["probabilities"]
        logits = found.get("logits")
        if logits is None:  # the mean of several views
            inside = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
            logits = np.log(inside / (1 - inside))
        loss = binary_cross_entropy(logits, held)
        if self.weights is not None:
            loss = loss * np.where(held, self.weights[1], self.weights[0])
        return {
            "loss": float(loss.mean()),
            "weight": 1.0,
            "probabilities": probabilities,
            "held": held,
            "ranking": float(ranking_precision(probabilities[None], held[None])[0]),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """F1, subset accuracy, Hamming loss, mean and ranking average precision, loss."""
        return {
            **super().summarise(kept),
            **set_scores(above(kept["probabilities"], self._thresholds(kept)), kept["held"]),
            "mean_average_precision": mean_average_precision(kept["probabilities"], kept["held"]),
            "ranking_average_precision": float(kept["ranking"].mean()),
        }

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """The threshold of each label, for the highest F1 on the rows in ``kept``."""
        if self.brief.options["thresholds"] == "half" or not kept:
            return {"thresholds": [HALF] * len(self.labels)}
        return {"thresholds": best_thresholds(kept["probabilities"], kept["held"])}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The best micro F1 of giving every row the same labels."""
        value, count = constant_f1(kept["held"])
        order = np.argsort(-kept["held"].sum(0), kind="stable")[: min(count, 3)]
        names = ", ".join(repr(self.labels[place]) for place in order.tolist())
        answer = f"always answering {names}" + (f" and {count - 3} more" if count > 3 else "")
        return Baseline("f1_micro", value, f"{answer}, their most frequent labels")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A table of the labels, and each row's labels and answer by name."""
        thresholds = self._thresholds(kept)
        answered = above(kept["probabilities"], thresholds)
        table = label_table(self.labels, answered, kept["held"], thresholds)
        return {
            "tables": {SHOWN: table},
            "label_counts": {
                "labels": self.labels,
                "expected": kept["held"].sum(0).tolist(),
                "answered": answered.sum(0).tolist(),
            },
            "expected": [self._names(row) for row in kept["held"]],
            "answered": [self._names(row) for row in answered],
            "correct": (answered == kept["held"]).all(1).tolist(),
        }

    def _thresholds(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """[labels]: what was settled; in training what these rows would settle."""
        return self.thresholds if self.settled else np.array(self.settle(kept)["thresholds"])

    def _names(self, held: np.ndarray) -> str:
        names = ", ".join(self.labels[place] for place in np.flatnonzero(held).tolist())
        return names or "(no label)"


def _weights(brief: RowBrief) -> np.ndarray | None:
    """[2, labels] float32: rows / (2 * rows of that kind), without the label and with it;
    scikit-learn's ``balanced`` of each label against the rest. A kind without rows has weight 0."""
    if brief.options["class_weights"] == "none":
        return None
    rows = np.float32(brief.targets["rows"])
    having = np.array(brief.targets["counts"], dtype=np.float32)
    kinds = np.stack([rows - having, having])
    return np.where(kinds > 0, rows / (2 * np.maximum(kinds, 1)), np.float32(0))
