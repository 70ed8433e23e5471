"""Span masking: the frames that pretraining hides, drawn in numpy from each row's true length."""

from __future__ import annotations

import numpy as np


def mask_spans(
    lengths: np.ndarray, width: int, *, share: float, span: int, rng: np.random.Generator
) -> np.ndarray:
    """Hide about ``share`` of each row's frames in spans: [B] lengths -> [B, width] bool.

    Spans may overlap, so ``share`` is the upper bound that it is in Baevski et al. (2020). A row
    too short for the span gets a shorter one: every row of four frames or more hides at least two.
    """
    mask = np.zeros((len(lengths), width), dtype=bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        if length >= 4:
            size = max(2, min(span, length // 2))
            starts = length - size + 1
            count = min(max(1, int(share * length / size + rng.random())), starts)
            first = rng.choice(starts, count, replace=False)
            row[(first[:, None] + np.arange(size)).ravel()] = True
    return mask


def sample_negatives(mask: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sample ``count`` other masked frames of each one's row: [B, T] -> [B, T, count] int64.

    Drawn with replacement, uniformly, never the frame itself. Frames that are not masked get zeros.
    """
    negatives = np.zeros((*mask.shape, count), dtype=np.int64)
    for row, masked in zip(negatives, mask, strict=True):
        places = np.flatnonzero(masked)
        if len(places) > 1:
            drawn = rng.integers(0, len(places) - 1, (len(places), count))
            drawn += drawn >= np.arange(len(places))[:, None]
            row[places] = places[drawn]
    return negatives
