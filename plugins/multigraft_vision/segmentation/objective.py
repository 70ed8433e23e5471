"""The objective of semantic segmentation: a class for every pixel of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, Fill, Objective, RowError, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.frames import PICTURE
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft.runtime.answers.label_maps.areas import ANSWERED, SHARED, WANTED
from multigraft.runtime.answers.label_maps.classes import IGNORE, classes_of
from multigraft.runtime.answers.label_maps.expected import expected_map
from multigraft_vision.segmentation.heads import HEADS, LOGITS
from multigraft_vision.segmentation.losses import by_pixel, dice

MASK = "mask"
LABEL_MAP = "classes"


class SemanticSegmentation(Objective):
    """Learns the class of each pixel, from logits at the finest level's cells that are enlarged to
    the input's pixels; its metrics are those of the answers, in the picture's own pixels."""

    monitor = "miou"
    greater_is_better = True
    fills: Mapping[str, float | Fill] = {MASK: IGNORE}
    moves: Mapping[str, str] = {MASK: "mask"}

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.classes = classes_of(brief.targets)
        self.kinds = frozenset(brief.options["loss"].split("+"))
        self.weights = _weights(brief.targets["counts"])

    def head(self) -> nn.Module:
        """The head that the recipe asks for, on the backbone's levels."""
        backbone: Any = self.brief.backbone
        options = self.brief.options
        return HEADS[options["head"]](
            backbone.levels, options["width"], len(self.classes.labels), options["dropout"]
        )

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``mask`` uint8 [H, W] of the whole picture. Raises RowError for one that cannot be
        used."""
        width, height = (round(float(side)) for side in arrays[PICTURE])
        try:
            return {MASK: expected_map(row.get(MASK), self.classes, (width, height))}
        except RowError as error:
            error.column = error.column or MASK
            raise

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The mean over pixels, of Dice over pictures."""
        wanted = batch[MASK].long()
        logits = _enlarged(outputs[LOGITS].float(), wanted)
        real = (wanted != IGNORE).flatten(1).sum(1).float()
        if self.kinds == {"dice"}:
            return RowLoss(dice(logits, wanted) * real, real)
        weights = None if self.weights is None else self.weights.to(logits.device)
        gamma = self.brief.options["gamma"] if "focal" in self.kinds else None
        found = by_pixel(logits, wanted, weights, gamma)
        if "dice" not in self.kinds:
            return found
        return RowLoss(found.total + dice(logits, wanted) * found.weight, found.weight)

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``classes`` uint8 [B, H, W] of the input's pixels, and ``logits`` at the cells they were
        enlarged from, by which the loss is judged."""
        if outputs is None:
            raise ValueError("a segmentation is served with its head")
        reader: Any = self.brief.reader
        logits = outputs[LOGITS].float()
        enlarged = F.interpolate(
            logits, size=tuple(reader.spec()["size"]), mode="bilinear", align_corners=False
        )
        return {LABEL_MAP: enlarged.argmax(1).to(torch.uint8), LOGITS: logits}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline | None:
        """What it scores to answer the most frequent class everywhere."""
        if "areas" not in kept:
            return None
        areas = kept["areas"].sum(0)
        most, there = int(areas[WANTED].argmax()), int((areas[WANTED] > 0).sum())
        pixels = max(1, int(areas[WANTED].sum()))
        score = float(areas[WANTED][most] / pixels) / max(1, there)
        return Baseline("miou", score, f"always answering {self.classes.labels[most]!r}")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A table of the classes: how much of each there is, and how much is found."""
        if "areas" not in kept:
            return {}
        areas = kept["areas"].sum(0).astype(np.float64)
        lines = [
            (label, f"{share:.4f}", f"{found:.4f}", f"{right:.4f}", f"{iou:.4f}")
            for label, share, found, right, iou in zip(
                self.classes.labels,
                areas[WANTED] / max(1.0, areas[WANTED].sum()),
                _ratio(areas[SHARED], areas[WANTED]),
                _ratio(areas[SHARED], areas[ANSWERED]),
                _ratio(areas[SHARED], areas[WANTED] + areas[ANSWERED] - areas[SHARED]),
                strict=True,
            )
        ]
        heading = ("class", "share of pixels", "recall", "precision", "iou")
        return {"tables": {"classes on these rows": (heading, *lines)}}


def _enlarged(logits: Tensor, wanted: Tensor) -> Tensor:
    return F.interpolate(logits, size=wanted.shape[-2:], mode="bilinear", align_corners=False)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _weights(counts: list[int]) -> Tensor | None:
    """[classes] with the mean 1 over the pixels, by the inverse root of each class's share; None
    without counts."""
    if not counts:
        return None
    shares = np.array(counts, dtype=np.float64).clip(1) / max(1, sum(counts))
    weights = shares**-0.5
    return torch.tensor(weights / (weights * shares).sum(), dtype=torch.float32)
