"""Any number of labels a row, in any modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, Row, RowLoss
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import RowError, did_you_mean, shown
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.classification import LinearHead
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
from multigraft.runtime.answers.multilabel import above, thresholds_of

SHOWN = "labels on these rows"


class MultiLabel(Objective):
    """Binary cross-entropy of each label, averaged over the labels.

    Until the thresholds are settled, in training, an epoch is judged with those that its own
    validation rows would settle: so the epoch is kept whose F1 will be the highest.
    """

    monitor = "f1_micro"
    greater_is_better = True
    problem_type = "multi_label_classification"
    shares_targets = True

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label: index for index, label in enumerate(self.labels)}
        self.thresholds = thresholds_of(brief.targets, len(self.labels))
        self.settled = "thresholds" in brief.targets
        self.weights = _weights(brief)

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the labels, which begins at their shares.

        At a pretrained network's rate a layer that begins at one half spends its steps on learning
        that labels are rare (Lin et al. 2017, "Focal Loss for Dense Object Detection", 4.1).
        """
        backbone: Any = self.brief.backbone
        fusion, width = fusion_of(self.brief)
        head = LinearHead(
            width,
            len(self.labels),
            bias=backbone.head_bias,
            dropout=self.brief.options["dropout"],
            fusion=fusion,
        )
        if backbone.head_bias and self.weights is None:  # balanced, every share is one half
            with torch.no_grad():
                head.linear.bias.copy_(_log_odds(self.brief.targets))
        return head

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

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Mean binary cross-entropy [B] of the labels, weighted as scikit-learn's one-vs-rest."""
        logits, held = outputs["logits"].float(), batch["held"]
        each = F.binary_cross_entropy_with_logits(logits, held.float(), reduction="none")
        if self.weights is not None:
            without, having = self.weights.to(logits.device)
            each = each * torch.where(held, having, without)
        total = each.mean(1)
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``probabilities`` and ``logits``, [B, labels] each."""
        if outputs is None:
            raise ValueError("a classifier is served with its head")
        logits = outputs["logits"].float()
        return {"probabilities": logits.sigmoid(), "logits": logits}

    def average(self, views: Sequence[Outputs]) -> Outputs:
        """Logits of the mean probabilities."""
        each = torch.stack([view["logits"].float() for view in views])
        held, lacked = F.logsigmoid(each).logsumexp(0), F.logsigmoid(-each).logsumexp(0)
        return {"logits": held - lacked}

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, the labels' probabilities and which the row has, and how well it ranks them."""
        probabilities, held = outputs["logits"].float().sigmoid(), batch["held"]
        ranking = ranking_precision(probabilities.cpu().numpy(), held.cpu().numpy())
        return {
            **super().measure(outputs, batch, loss),
            "probabilities": probabilities,
            "held": held,
            "ranking": torch.from_numpy(ranking),
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

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The linear layer of `LinearHead`."""
        return head.linear if isinstance(head, LinearHead) else None

    def _thresholds(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """[labels]: what was settled; in training what these rows would settle."""
        return self.thresholds if self.settled else np.array(self.settle(kept)["thresholds"])

    def _names(self, held: np.ndarray) -> str:
        names = ", ".join(self.labels[place] for place in np.flatnonzero(held).tolist())
        return names or "(no label)"


def _log_odds(targets: Spec) -> Tensor:
    """[labels]: log of the rows with a label over those without, half a row added to each."""
    having = torch.tensor(targets["counts"], dtype=torch.float32)
    return torch.log((having + 0.5) / (float(targets["rows"]) - having + 0.5))


def _weights(brief: Brief) -> Tensor | None:
    """[2, labels]: rows / (2 * rows of that kind), without the label and with it; scikit-learn's
    ``balanced`` of each label against the rest. A kind without rows has weight 0."""
    if brief.options["class_weights"] == "none":
        return None
    rows = float(brief.targets["rows"])
    having = torch.tensor(brief.targets["counts"], dtype=torch.float32)
    kinds = torch.stack([rows - having, having])
    return torch.where(kinds > 0, rows / (2 * kinds.clamp(min=1)), 0.0)
