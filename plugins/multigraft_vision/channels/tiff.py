"""TIFF of any number of channels and 8 to 64 bits, by tifffile; it unpacks with imagecodecs.

What the two leave unbounded is checked before: the tags, which tifffile reads as often as a file
names them, and the size of a strip or tile. Pillow has no mode for such samples, and reads what is
none: palettes, two values, colours as JPEG has them.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.errors import missing_dependency, refused_as

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
COMPRESSIONS = (1, 5, 8, 32946, 32773, 34925, 50000)
"""None, LZW, deflate (two numbers), PackBits, LZMA, Zstandard: those without loss, which
imagecodecs unpacks to no more bytes than it is told."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
BITS = (8, 16, 32, 64)
MOST_SAMPLES = 4096
MOST_VALUES = 2**20
"""Of one tag: offsets of strips, say, which become objects of Python."""
SPARE = 2**26
"""Bytes that a strip or a tile may take beyond four times the picture: tiles are never cut."""
TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
"""Of one value, by the type of a tag (TIFF 6.0, BigTIFF)."""
BYTES, TEXT, UNDEFINED = 1, 2, 7
"""Types whose values stay bytes."""


def opened(content: bytes) -> Any | None:
    """The first page as a `tifffile.TiffPage`, no sample of which is read; None where its samples
    are not values of channels, or packed with loss, and Pillow is asked. Raises RowError."""
    try:
        import imagecodecs  # noqa: F401  (without it tifffile unpacks without a bound)
        import tifffile
    except ModuleNotFoundError as error:
        raise RowError(f"is a TIFF, and {missing_dependency(error) or error}") from error
    with refused_as(RowError, "is a broken image file: its tags cannot be read"):
        _check_tags(content)
        # by default it follows makers' tags to all further pages
        kinds = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}
        page = tifffile.TiffFile(io.BytesIO(content), **kinds).pages[0]
        return page if _readable(page) else None


def orientation(page: Any) -> int:
    """As EXIF's."""
    found = page.tags.valueof(274)
    return found if isinstance(found, int) else 1


def samples(page: Any) -> np.ndarray:
    """All samples [H, W, C] in the machine's order of bytes. Raises RowError for what is cut off or
    out of all proportion; whatever tifffile raises for what is broken otherwise."""
    _check_chunks(page)
    made = np.empty((page.imagelength, page.imagewidth, page.samplesperpixel), page.dtype)
    apart = page.shaped[0] > 1
    # one strip or tile after another, and few bytes of the file at a time: memory is bounded
    for part, (plane, _, top, left, _), _ in page.segments(maxworkers=1, buffersize=2**20):
        which = slice(plane, plane + 1) if apart else slice(None)
        room = made[top : top + part.shape[1], left : left + part.shape[2], which]
        room[...] = part[0, : room.shape[0], : room.shape[1]]
    if page.photometric == WHITE_IS_ZERO and made.dtype.kind == "u":
        return np.iinfo(made.dtype).max - made
    return made


def _readable(page: Any) -> bool:
    known = page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
    numbers = page.dtype is not None and page.dtype.kind in "uif" and page.bitspersample in BITS
    flat = page.imagedepth == page.tiledepth == 1 and 0 < page.samplesperpixel <= MOST_SAMPLES
    return known and numbers and flat and page.compression in COMPRESSIONS


def _check_tags(content: bytes) -> None:
    """Raise RowError for tags that name more bytes than the file has, the same ones many times, or
    more values than any picture needs."""
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    short, wide = f"{order}u2", f"{order}u{8 if big else 4}"
    start = int(np.frombuffer(content, wide, 1, 8 if big else 4)[0])
    many = np.dtype(wide if big else short)
    count = int(np.frombuffer(content, many, 1, start)[0])
    fields = np.dtype([("tag", short), ("type", short), ("count", wide), ("value", wide)])
    entries = np.frombuffer(content, fields, count, start + many.itemsize)
    kinds = np.minimum(entries["type"], len(TYPE_BYTES) - 1)
    total = np.dot(entries["count"].astype(float), np.array(TYPE_BYTES, float)[kinds])
    numbers = ~np.isin(kinds, (BYTES, TEXT, UNDEFINED))
    if total > len(content) or (entries["count"][numbers] > MOST_VALUES).any():
        raise RowError("is a broken image file: its tags name more than it can hold")


def _check_chunks(page: Any) -> None:
    """Raise RowError where strips or tiles are missing, cut off or out of all proportion."""
    whole = math.prod(page.shaped) * page.dtype.itemsize
    if not all(page.chunks) or math.prod(page.chunks) * page.dtype.itemsize > 4 * whole + SPARE:
        raise RowError("is a broken image file: its strips or tiles have no size that fits it")
    parts = (page.dataoffsets, page.databytecounts)
    if any(len(each) != math.prod(page.chunked) for each in parts):
        raise RowError("is a broken image file: strips or tiles are missing")
    size = page.parent.filehandle.size
    if sum(page.databytecounts) > size + whole:  # equal ones may be stored once
        raise RowError("is a broken image file: its strips or tiles name more than it can hold")
    for start, length in zip(*parts, strict=True):
        if start < 8 or length < 1 or start + length > size:
            raise RowError("is a broken image file: it ends too early")
