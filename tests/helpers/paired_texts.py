"""Texts that belong together because they share words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helpers.asked_passages import write_lines

WORDS = "river house people night music winter garden letter doctor stone window paper".split()
Row = dict[str, Any]


def texts_of(rng: np.random.Generator) -> tuple[str, str]:
    """Two texts that share two words among others."""
    shared = rng.choice(WORDS, 2, replace=False)
    one, other = (
        " ".join(rng.permutation([*shared, *rng.choice(WORDS, size)]))
        for size in rng.integers(1, 5, 2)
    )
    return one, other


def pairs(count: int, seed: int) -> list[Row]:
    """Rows of ``text`` and ``text_pair``."""
    rng = np.random.default_rng(seed)
    made = (texts_of(rng) for _ in range(count))
    return [{"text": one, "text_pair": other} for one, other in made]


def write_pairs(folder: Path, rows: int) -> Path:
    """The same as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_lines(folder / "pairs.jsonl", pairs(rows, 1))
