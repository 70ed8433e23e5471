"""Rows for the template plugin, on which the engine's own tests run."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_rows(path: Path, *, rows: int = 96, seed: int = 0) -> Path:
    """A CSV whose label tells whether the numbers rise; easy to learn."""
    rng = np.random.default_rng(seed)
    lines = ["series,label"]
    for index in range(rows):
        rising = index % 2
        values = np.sort(rng.normal(rising * 0.8, 1, rng.integers(3, 12)))[:: 1 if rising else -1]
        lines.append(
            " ".join(f"{value:.3f}" for value in values) + f",{'up' if rising else 'down'}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path
