"""From text to numbers. Training and the bundle call this same code, so it must not need torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import multigraft as mg


class SeriesReader:
    """``"1 2.5 3"`` or a list of numbers -> ``values`` float32 [T] and ``attention_mask`` int64
    [T]."""

    fills: Mapping[str, float] = {"values": 0, "attention_mask": 0}

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec

    def read(self, raw: Any) -> dict[str, np.ndarray]:
        """Read one series. Raises RowError where it is empty or holds something that is no
        number."""
        try:
            values = np.asarray(raw.split() if isinstance(raw, str) else raw, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise mg.RowError(f"holds something that is no number: {error}") from error
        if values.ndim != 1 or not len(values):
            raise mg.RowError("holds no numbers")
        if not np.isfinite(values).all():
            raise mg.RowError("holds a number that is not finite")
        values = values[: self._spec["longest"]]
        return {"values": values, "attention_mask": np.ones(len(values), dtype=np.int64)}

    def length(self, row: dict[str, np.ndarray]) -> int:
        """The count of numbers."""
        return len(row["values"])

    def spec(self) -> dict[str, Any]:
        """What `SeriesReader` was built from."""
        return self._spec
