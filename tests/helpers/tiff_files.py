"""TIFF files of any number of channels written by hand: strips or tiles, channels side by side or
apart, packed or not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

FORMS = {"u": 1, "i": 2, "f": 3}
"""The tag SampleFormat by numpy's kind of type."""
TYPES = {3: "H", 4: "I", 16: "Q"}
ADOBE_DEFLATE = 8


def bands(
    values: np.ndarray,
    *,
    apart: bool = False,
    tile: tuple[int, int] | None = None,
    rows: int | None = None,
    order: str = "<",
    pack: Callable[[bytes], bytes] | None = None,
    compression: int | None = None,
    predictor: int = 1,
    grey: int = 1,
    big: bool = False,
    full: bool = False,
    tags: Sequence[tuple[int, Sequence[int]]] = (),
) -> bytes:
    """Samples [H, W, C]; ``compression`` is deflate where it is not told, nothing without ``pack``.

    ``rows`` of each strip, the last of which is filled up with ``full``; further ``tags`` of shorts
    take the place of ours.
    """
    height, width, channels = values.shape
    tall, wide = tile or (min(rows or height, height), width)
    planes = [values[..., at : at + 1] for at in range(channels)] if apart else [values]
    chunks = [
        (pack or bytes)(_bytes(part, predictor, order))
        for plane in planes
        for part in _parts(plane, tall, wide, full or tile is not None)
    ]
    code = 1 if pack is None else compression or ADOBE_DEFLATE
    short = {258: [8 * values.itemsize] * channels, 259: [code], 262: [grey], 277: [channels]}
    short |= {284: [1 + apart], 317: [predictor], 339: [FORMS[values.dtype.kind]] * channels}
    spots = (324, 325) if tile else (273, 279)
    sides = {256: [width], 257: [height], **({322: [wide], 323: [tall]} if tile else {278: [tall]})}
    start = 16 if big else 8
    offsets = [start + sum(map(len, chunks[:at])) for at in range(len(chunks))]
    whole = {**sides, spots[0]: offsets, spots[1]: [len(each) for each in chunks]}
    found = {number: (16 if big else 4, told) for number, told in whole.items()}
    found |= {number: (3, told) for number, told in (*short.items(), *tags)}
    return _file(b"".join(chunks), found, order, big)


def zipped(data: bytes) -> bytes:
    return zlib.compress(data)


def _parts(plane: np.ndarray, tall: int, wide: int, full: bool) -> Iterator[np.ndarray]:
    """Strips or tiles, by rows; those at the end filled up where they are to be ``full``."""
    for top in range(0, plane.shape[0], tall):
        for left in range(0, plane.shape[1], wide):
            part = plane[top : top + tall, left : left + wide]
            lack = (tall - part.shape[0], wide - part.shape[1])
            yield np.pad(part, ((0, lack[0]), (0, lack[1]), (0, 0))) if full else part


def _bytes(part: np.ndarray, predictor: int, order: str) -> bytes:
    """As differences along a row, of whole values (2), or of the bytes of floats by significance
    (3: Adobe's technical note 3)."""
    if predictor == 3:
        tall, wide, channels = part.shape
        split = part.astype(part.dtype.newbyteorder(">")).view(np.uint8)
        steps = split.reshape(tall, wide * channels, -1).transpose(0, 2, 1)
        return _differences(steps.reshape(tall, -1, channels)).tobytes()
    if predictor == 2:
        part = _differences(part.view(f"u{part.itemsize}")).view(part.dtype)
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _differences(values: np.ndarray) -> np.ndarray:
    first = np.zeros_like(values[:, :1])
    return np.diff(values, axis=1, prepend=first).astype(values.dtype)


def _file(data: bytes, tags: dict[int, tuple[int, Sequence[int]]], order: str, big: bool) -> bytes:
    """A header, the samples, one directory, and the values that it has no room for."""
    head, start = b"II" if order == "<" else b"MM", (16 if big else 8) + len(data)
    count, entry, wide = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    here, spilled = b"", b""
    after = start + struct.calcsize(order + count) + (12 + wide - 4 + wide - 4) * len(tags) + wide
    for number, (kind, told) in sorted(tags.items()):
        values: Any = struct.pack(f"{order}{len(told)}{TYPES[kind]}", *told)
        if len(values) > wide:
            place = struct.pack(order + ("Q" if big else "I"), after + len(spilled))
            spilled, values = spilled + values, place
        here += struct.pack(order + entry, number, kind, len(told)) + values.ljust(wide, b"\0")
    told_first = struct.pack(order + "HHHQ", 43, 8, 0, start)
    first = told_first if big else struct.pack(order + "HI", 42, start)
    directory = struct.pack(order + count, len(tags)) + here + bytes(wide)
    return head + first + data + directory + spilled
