"""Handwritten digits, from scikit-learn: 8 x 8 pixels, enlarged by the reader."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from multigraft.cli.demo.sets import DemoSet

SEED = 8
PER_CLASS = {"train": 5, "validation": 5, "test": 50}


def build(folder: Path) -> DemoSet:
    """Write the digits as PNG files: labelled splits in class folders, the rest in a flat one."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = (images.reshape(-1, 8, 8) * 255 / 16).round().astype(np.uint8)
    splits = _cut(_distinct(pixels), labels)
    for split, indices in splits.items():
        for index in indices:
            inside = "" if split == "unlabelled" else str(labels[index])
            _write(pixels[index], folder / split / inside / f"{index:04d}.png")
    return DemoSet(
        modality="image",
        unlabelled=folder / "unlabelled",
        train=folder / "train",
        validation=folder / "validation",
        test=folder / "test",
        rows={split: len(indices) for split, indices in splits.items()},
        facts={
            "what": "which digit a hand wrote, 8 x 8 pixels",
            "from": "scikit-learn's load_digits: 1,797 digits of the UCI set Optical Recognition "
            "of Handwritten Digits (Alpaydin and Kaynak 1998)",
            "cut": "by picture, as the set does not say who wrote which; equal pictures are kept "
            "once",
            "licence": "UCI set CC BY 4.0, scikit-learn BSD-3",
        },
    )


def _distinct(pixels: np.ndarray) -> np.ndarray:
    """The indices of the first of equal pictures, ascending."""
    _, first = np.unique(pixels.reshape(len(pixels), -1), axis=0, return_index=True)
    return np.sort(first)


def _cut(indices: np.ndarray, labels: np.ndarray) -> dict[str, list[int]]:
    """Draw the same number of each class for each labelled split; what is left is unlabelled."""
    order = np.random.default_rng(SEED).permutation(indices)
    splits: dict[str, list[int]] = {split: [] for split in PER_CLASS}
    left: list[int] = []
    for digit in range(10):
        own = iter(order[labels[order] == digit].tolist())
        for split, count in PER_CLASS.items():
            splits[split] += _take(own, count)
        left += own
    return {
        **{split: sorted(chosen) for split, chosen in splits.items()},
        "unlabelled": sorted(left),
    }


def _take(source: Iterable[int], count: int) -> list[int]:
    return [index for _, index in zip(range(count), source, strict=False)]


def _write(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
