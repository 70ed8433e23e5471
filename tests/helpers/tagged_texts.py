"""Small, learnable sentences with names and places in them, as words with tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

NAMES = ("Ada", "Grace Hopper", "May", "Alan Mathison Turing")
PLACES = ("Rome", "New York", "Oslo")
FILLERS = "met in saw near the rain left May spring bread , quietly".split()
"""May is a name in some sentences and a month in others: nobody learns it whole."""
Sentence = tuple[list[str], list[str]]
"""Words and their tags, in BIO."""


def sentence(rng: np.random.Generator, pieces: int) -> Sentence:
    """So many words and names, and a full stop."""
    words, tags = [], []
    for _ in range(pieces):
        kind = rng.choice(["PER", "LOC", ""], p=[0.2, 0.2, 0.6])
        own = str(rng.choice({"PER": NAMES, "LOC": PLACES, "": FILLERS}[kind])).split()
        words += own
        inside = [f"I-{kind}"] * (len(own) - 1)
        tags += [f"B-{kind}", *inside] if kind else ["O"] * len(own)
    return [*words, "."], [*tags, "O"]


def sentences(count: int, seed: int = 0) -> list[Sentence]:
    rng = np.random.default_rng(seed)
    return [sentence(rng, int(rng.integers(3, 10))) for _ in range(count)]


def write_conll(path: Path, rows: Sequence[Sentence]) -> Path:
    """A word and its tag a line."""
    blocks = ["\n".join(f"{word} {tag}" for word, tag in zip(*row, strict=True)) for row in rows]
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def write_lines(path: Path, rows: Sequence[Sentence]) -> Path:
    """JSON lines of ``tokens`` and ``tags``."""
    lines = [json.dumps({"tokens": words, "tags": tags}) for words, tags in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_tagged(folder: Path, rows: int) -> Path:
    """JSON lines of so many sentences in ``folder``, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_lines(folder / "tagged.jsonl", sentences(rows))
