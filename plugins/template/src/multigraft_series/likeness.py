"""Which series are nearly the same, whatever their length, level and scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import multigraft as mg
from multigraft_series.reader import SeriesReader

POINTS = 16
STEPS = 8
"""Steps of a standard deviation."""


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Each series at 16 points, in coarse steps: uint8 [rows, 16]. A constant one: zeros, and the
    flaw 1."""
    reader = SeriesReader({"longest": 100_000})
    found, flaws = np.zeros((len(raws), POINTS), np.uint8), np.zeros(len(raws), np.uint8)
    for row, raw in enumerate(raws):
        try:
            values = reader.read(raw)["values"].astype(np.float64)
        except mg.RowError:
            continue
        points = np.interp(np.linspace(0, len(values) - 1, POINTS), np.arange(len(values)), values)
        spread = points.std()
        if spread == 0:
            flaws[row] = 1
            continue
        found[row] = np.clip(np.round((points - points.mean()) / spread * STEPS) + 128, 1, 255)
    return found, flaws
