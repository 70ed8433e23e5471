"""Generated corpora: sentences of made-up words, with near duplicates planted among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SYLLABLES = (
    "ba be bi bo bu da de di do du fa fe ga ge ka ke la le li lo ma me mi na ne no pa".split()
)


def vocabulary(rng: np.random.Generator, size: int = 5000) -> list[str]:
    """Made-up words of two to four syllables."""
    counts = rng.integers(2, 5, size)
    return ["".join(rng.choice(SYLLABLES, count)) for count in counts]


def text(rng: np.random.Generator, words: list[str], length: int) -> str:
    """Sentences of random words, frequent ones more often."""
    chosen = (len(words) * rng.power(0.6, length)).astype(int).tolist()
    sentences, start = [], 0
    while start < length:
        stop = start + int(rng.integers(6, 15))
        sentences.append(" ".join(words[each] for each in chosen[start:stop]).capitalize() + ".")
        start = stop
    return " ".join(sentences)


def edited(rng: np.random.Generator, given: str, words: list[str], share: float) -> str:
    """The text with a share of its words exchanged, and the case of the first changed."""
    parts = given.split(" ")
    for place in rng.choice(len(parts), max(1, int(share * len(parts))), replace=False).tolist():
        parts[place] = words[int(rng.integers(len(words)))]
    return " ".join(parts).swapcase() if rng.random() < 0.1 else " ".join(parts)


@dataclass(frozen=True)
class Planted:
    """Texts, and for each which earlier one it was made of, or -1."""

    texts: list[str]
    origin: list[int]


def planted(rows: int, *, seed: int = 0, share: float = 0.1, changed: float = 0.03) -> Planted:
    """Texts of 40 to 200 words, a share of which are earlier ones with few words exchanged."""
    rng = np.random.default_rng(seed)
    words = vocabulary(rng)
    texts: list[str] = []
    origin: list[int] = []
    for row in range(rows):
        first = [
            number for number in (int(rng.integers(max(1, row))),) if row and origin[number] < 0
        ]
        if first and rng.random() < share:
            texts.append(edited(rng, texts[first[0]], words, changed))
            origin.append(first[0])
        else:
            texts.append(text(rng, words, int(rng.integers(40, 200))))
            origin.append(-1)
    return Planted(texts, origin)


def write_lines(path: Path, texts: list[str]) -> Path:
    """A file of JSON lines with ``id`` and ``text``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.writelines(
            json.dumps({"id": number, "text": each}) + "\n" for number, each in enumerate(texts)
        )
    return path


def rows_of(folder: Path) -> Iterator[dict[str, object]]:
    """The rows of a prepared split, in their order."""
    from pyarrow import parquet

    for path in sorted(folder.glob("*.parquet")):
        yield from parquet.read_table(path).to_pylist()
