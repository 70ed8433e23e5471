"""malloc_trim: hand freed memory back to the system."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

LARGE = 2**25
"""Bytes of a value from which it is worth the milliseconds it takes."""


def trim() -> None:
    """Hand back what threads have freed: glibc keeps it for each thread, a picture's worth each."""
    found = _trim()
    if found is not None:
        found(0)


@cache
def _trim() -> Any:
    """The C library's function; None where it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows
        return None
