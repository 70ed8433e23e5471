"""Names of pictographs, labelled with the kind of thing they show, as Unicode's charts group
them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from multigraft.cli.demo.sets import DemoSet, write_csv

SEED = 7
KINDS = {
    "animal": ((0x1F400, 0x1F43C), (0x1F980, 0x1F9AE), (0x1FAB0, 0x1FAB3)),
    "food or drink": (
        *((0x1F345, 0x1F37F), (0x1F950, 0x1F96F), (0x1F9C0, 0x1F9CB)),
        (0x1FAD0, 0x1FAD6),
    ),
    "vehicle": ((0x1F680, 0x1F6A4), (0x1F6E5, 0x1F6EC), (0x1F6F3, 0x1F6FC)),
    "clothing": (
        *((0x1F451, 0x1F462), (0x1F97B, 0x1F97F), (0x1F9E2, 0x1F9E6)),
        (0x1FA70, 0x1FA74),
    ),
    "office or device": ((0x1F4BB, 0x1F4FD), (0x1F5A5, 0x1F5BB)),
}
"""First and last characters; all were named in Unicode 14, and names never change."""
PER_CLASS = {"train": 5, "validation": 4, "test": 24}


def build(folder: Path) -> DemoSet:
    """Write one CSV file a split; there are no rows without a label, as nothing is pretrained."""
    rng = np.random.default_rng(SEED)
    splits: dict[str, list[tuple[str, str]]] = {split: [] for split in PER_CLASS}
    for kind in KINDS:
        names = _names(kind)
        own = iter([names[place] for place in rng.permutation(len(names))])
        for split, count in PER_CLASS.items():
            splits[split] += [(next(own), kind) for _ in range(count)]
    for split, rows in splits.items():
        write_csv(folder / f"{split}.csv", ("text", "label"), rows)
    return DemoSet(
        modality="text",
        unlabelled=None,
        train=folder / "train.csv",
        validation=folder / "validation.csv",
        test=folder / "test.csv",
        rows={split: len(rows) for split, rows in splits.items()},
        facts={
            "what": f"which of {len(KINDS)} kinds of things a pictograph shows, by its name",
            "from": "Python's unicodedata: the names that Unicode gives to emoji",
            "cut": "by name, each in one split; 'cat' and 'cat face' are one",
            "licence": "Unicode License v3; read here and not handed on",
        },
    )


def _names(kind: str) -> list[str]:
    """The names of a kind, each once, in small letters."""
    characters = (chr(code) for first, last in KINDS[kind] for code in range(first, last + 1))
    named = (unicodedata.name(each).lower().removesuffix(" face") for each in characters)
    return list(dict.fromkeys(named))
