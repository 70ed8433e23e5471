"""Areas: how many pixels of each class are answered, wanted and both, and the metrics of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multigraft.runtime.answers.label_maps.classes import IGNORE

SHARED, ANSWERED, WANTED = range(3)


def areas_of(found: np.ndarray, wanted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [3, classes]: the pixels that are shared, answered and wanted; ignored ones are none.

    >>> areas_of(np.array([[0, 1]]), np.array([[0, 0]]), 2).tolist()
    [[1, 0], [1, 1], [2, 0]]
    """
    real = wanted != IGNORE
    answered, expected = found[real].astype(np.int64), wanted[real].astype(np.int64)
    parts = (expected[answered == expected], answered, expected)
    return np.stack([np.bincount(each, minlength=classes)[:classes] for each in parts])


def area_metrics(areas: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Mean intersection over union of the classes that occur or are answered, that of each, and
    the share of right pixels; of areas [3, classes] of all pictures together."""
    areas = areas.astype(np.float64)
    union = areas[ANSWERED] + areas[WANTED] - areas[SHARED]
    there = union > 0
    each = np.divide(areas[SHARED], union, out=np.zeros_like(union), where=there)
    pixels = areas[WANTED].sum()
    return {
        "miou": float(each[there].mean()) if there.any() else 0.0,
        "pixel_accuracy": float(areas[SHARED].sum() / pixels) if pixels else 0.0,
        **{f"iou_{label}": float(share) for label, share in zip(labels, each, strict=True)},
    }
