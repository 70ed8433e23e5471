"""Digits to arrays, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers.greys import digits
from multigraft import Fill
from multigraft.contracts.records import Arrays, Spec

PLANE = {0: "height", 1: "width"}


class GreyReader:
    """``pixels`` uint8 [H, W], and ``real`` uint8 [H, W], which is 0 where padded."""

    fills: Mapping[str, float | Fill] = {"pixels": Fill(0, PLANE), "real": Fill(0, PLANE)}

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def read(self, raw: Any) -> Arrays:
        pixels = digits(raw)
        return {"pixels": pixels, "real": np.ones_like(pixels)}

    def length(self, row: Arrays) -> int:
        return int(row["pixels"].size)

    def spec(self) -> Spec:
        return self._spec
