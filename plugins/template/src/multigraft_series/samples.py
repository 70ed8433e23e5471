"""Made-up series, with which `multigraft.testing` tries this plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    """Three to eleven numbers each, as a cell of a table holds them."""
    return [
        " ".join(f"{value:.3f}" for value in rng.normal(size=rng.integers(3, 12)))
        for _ in range(count)
    ]


def bad(folder: Path) -> list[Any]:
    """What `SeriesReader` must refuse."""
    return ["", "1 two", "1 nan", 3]
