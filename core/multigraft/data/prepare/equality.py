"""Equality of values: digests of equal ones, and the sketches of those that are nearly equal."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.readers import row_errors
from multigraft.contracts.records import Likeness, Modality
from multigraft.data.cache.content import canonical
from multigraft.errors import DataError, RowError
from multigraft.system.files import open_plain

BLOCK = 2**20
ACCENTS = (
    range(0x300, 0x370),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE00, 0xFE30),
    range(0xE0100, 0xE01F0),
)
"""Blocks of combining diacritical marks, and of what chooses among forms of a sign."""


def exact(options: Mapping[str, Any], modality: Modality) -> Likeness:
    """Values that are equal, files by their bytes: 128 bits of SHA-256 as two integers."""
    files = bool(modality.suffixes)
    return Likeness(sketch=partial(_digests, files=files, fold=options["fold"]), near=1.0)


def near(options: Mapping[str, Any], modality: Modality) -> Likeness:
    """Values whose sketches are nearly equal, as the modality says. Raises DataError where it has
    none."""
    if modality.likeness is None:
        raise DataError(f"{modality.name} has no sketches, by which near duplicates are found")
    share = modality.likeness.near if options["near"] is None else float(options["near"])
    return Likeness(sketch=partial(_sketches, modality.likeness.sketch), near=share)


def _digests(values: Sequence[Any], *, files: bool, fold: bool) -> tuple[np.ndarray, np.ndarray]:
    """[rows, 2] uint64; zeros for nothing, and for a file that cannot be read: like no other."""
    found = b"".join(_digest(value, files, fold) for value in values)
    return np.frombuffer(found, np.uint64).reshape(-1, 2), np.zeros(len(values), np.uint8)


def _digest(value: Any, files: bool, fold: bool) -> bytes:
    if value is None:
        return bytes(16)
    if files and isinstance(value, str | Path):
        return _file_digest(value)
    if isinstance(value, str):
        content = (_folded(value) if fold else value).encode(errors="surrogatepass")
    else:
        content = value if isinstance(value, bytes) else canonical([value])
    return hashlib.sha256(content).digest()[:16]


def _file_digest(path: str | Path) -> bytes:
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").digest()[:16]
    except OSError:
        return bytes(16)


def _folded(text: str) -> str:
    """A text without case, accents, spaces, digits and punctuation; itself, where none is left.

    >>> _folded("Sí, 12!"), _folded("12!"), _folded("c++"), _folded("की") == _folded("का")
    ('si', '12!', 'c++', False)
    """
    signs = unicodedata.normalize("NFD", text.casefold())
    return "".join(filter(_counts, signs)) or text


@functools.cache
def _counts(sign: str) -> bool:
    """Letters, signs of vowels and tones among them, and symbols; not accents of Latin, Greek and
    Cyrillic, which Unicode keeps in blocks of their own."""
    if any(ord(sign) in block for block in ACCENTS):
        return False
    return unicodedata.category(sign)[0] in "LMS"


def _sketches(
    sketch: Callable[[Sequence[Any]], tuple[np.ndarray, np.ndarray]], values: Sequence[Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Sketches of values, by halves where one fails, which then is like no other."""
    try:
        with row_errors():
            return sketch(values)
    except RowError:
        if len(values) < 2:
            width = sketch([])[0].shape[1]
            return np.zeros((len(values), width), np.uint8), np.zeros(len(values), np.uint8)
        half = len(values) // 2
        halves = [_sketches(sketch, some) for some in (values[:half], values[half:])]
        return np.concatenate([each[0] for each in halves]), np.concatenate(
            [each[1] for each in halves]
        )
