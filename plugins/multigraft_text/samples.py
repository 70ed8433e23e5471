"""Sample texts, made up, with which tests try what reads text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WORDS = (
    "the a film day people music with and was some river house great awful long short green old"
).split()


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    """Two sentences a row, of 5 to 18 words."""
    del folder  # text stands in the row itself
    return [f"{_sentence(rng, 3, 12)} {number}. {_sentence(rng, 2, 6)}." for number in range(count)]


def bad(folder: Path) -> list[Any]:
    """Values that are no text."""
    del folder
    return ["", "   ", 3, {"no": "text"}]


def _sentence(rng: np.random.Generator, shortest: int, longest: int) -> str:
    return " ".join(rng.choice(WORDS, int(rng.integers(shortest, longest + 1))))
