"""Arrays in files of numpy (``.npy``): plain numbers, bounded by their header; nothing is
unpickled."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy

from multigraft import RowError

MAGIC = b"\x93NUMPY"
HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def shape_of(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any], int, bool]:
    """Shape, type, where the numbers begin, and whether they stand by columns. Raises RowError."""
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        shape, by_columns, kind = HEADERS[version](file)
    except Exception as error:  # numpy raises whatever a broken header makes it
        raise RowError("is a broken .npy file: its header cannot be read") from error
    if kind.kind not in "buif" or not all(side >= 0 for side in shape):
        raise RowError(f"is an array of {kind}; give numbers")
    return shape, kind, file.tell(), by_columns


def array_of(content: bytes) -> np.ndarray:
    """The array in a file that has been read. Raises RowError."""
    shape, kind, start, by_columns = shape_of(content)
    count = math.prod(shape)
    if len(content) - start < count * kind.itemsize:
        raise RowError("is a broken .npy file: it ends too early")
    flat = np.frombuffer(content, kind, count, start)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)
