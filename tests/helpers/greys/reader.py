"""Digits to arrays, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from helpers.greys import digits
from multigraft import Fill
from multigraft.contracts.frames import EXTENT, FRAME, mirror, shift, then
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Arrays, Spec

PLANE = {0: "height", 1: "width"}


class GreyReader:
    """``pixels`` uint8 [H, W], and ``real`` uint8 [H, W], which is 0 where padded."""

    fills: Mapping[str, float | Fill] = {"pixels": Fill(0, PLANE), "real": Fill(0, PLANE)}

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def read(self, raw: Any) -> Arrays:
        pixels = digits(raw)
        row = {"pixels": pixels, "real": np.ones_like(pixels)}
        if not self._spec["places"]:
            return row
        extent = np.array(pixels.shape[::-1], np.float32)
        return {**row, FRAME: np.eye(2, 3, dtype=np.float32), EXTENT: extent}

    def length(self, row: Arrays) -> int:
        return int(row["pixels"].size)

    def spec(self) -> Spec:
        return self._spec


class Augmentation:
    """Cuts a column or a row off, and mirrors half of the pictures."""

    frames = True

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        left, top = rng.integers(0, 2, size=2)
        step = shift(-left, -top)
        planes = {name: row[name][top:, left:] for name in ("pixels", "real")}
        tall, wide = planes["pixels"].shape
        if rng.random() < 0.5:
            planes = {name: np.ascontiguousarray(plane[:, ::-1]) for name, plane in planes.items()}
            step = then(step, mirror(wide))
        if FRAME in row:
            planes[FRAME] = then(row[FRAME], step).astype(np.float32)
            planes[EXTENT] = np.array([wide, tall], np.float32)
        return {**row, **planes}


def augmentation(strength: str, reader: Reader, options: Mapping[str, Any]) -> Augmentation:
    return Augmentation()
