"""An objective's target arrays of many rows, kept in a few bytes a row where all are alike."""

from __future__ import annotations

import numpy as np

from multigraft.contracts.types import Arrays

MEMORY = 2**28
OVERHEAD = 200
"""Bytes an array costs besides its data, roughly."""


class Targets:
    """Target arrays by row number, as far as about ``memory`` bytes hold them.

    Arrays of the first row's types and shapes lie side by side; other rows are kept as they are.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._left = memory
        self._count = 0
        self._alike: dict[str, np.ndarray] | None = None
        self._packed: dict[str, bytearray] = {}
        self._others: dict[int, Arrays] = {}

    def add(self, arrays: Arrays) -> None:
        """Keep the targets of the next row."""
        if self._alike is None:
            self._alike = {name: np.empty_like(array) for name, array in arrays.items()}
            self._packed = {name: bytearray() for name in arrays}
        alike = self._fits(arrays)
        self._left -= sum(array.nbytes for array in self._alike.values())
        self._left -= 0 if alike else sum(array.nbytes + OVERHEAD for array in arrays.values())
        if self._left < 0:
            return
        if not alike:
            self._others[self._count] = arrays
        for name, first in self._alike.items():
            self._packed[name] += arrays[name].tobytes() if alike else bytes(first.nbytes)
        self._count += 1

    def get(self, number: int) -> Arrays | None:
        """The targets of one row, read-only; None where they must be made again."""
        if number >= self._count or self._alike is None:
            return None
        if number in self._others:
            return dict(self._others[number])
        return {
            name: np.ndarray(
                first.shape,
                first.dtype,
                memoryview(self._packed[name]).toreadonly(),
                number * first.nbytes,
            )
            for name, first in self._alike.items()
        }

    def _fits(self, arrays: Arrays) -> bool:
        assert self._alike is not None
        return arrays.keys() == self._alike.keys() and all(
            (array.dtype, array.shape) == (self._alike[name].dtype, self._alike[name].shape)
            and not array.dtype.hasobject
            for name, array in arrays.items()
        )
