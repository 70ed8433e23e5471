"""TIFF of any number of channels and 8 to 64 bits, by strips and tiles.

Pillow reads the tags and, where a strip is compressed, unpacks its bytes (its libtiff knows every
usual compression); it has no mode for the samples themselves, and takes further channels for
nothing, or for opacity. So no further library is needed, and nothing is unpacked beyond the size
that the tags tell, which is bounded before.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

from multigraft import RowError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PLAIN, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 8, 32946, 32773, 34925, 50000
ZIPPED = (DEFLATE, OLD_DEFLATE)
UNPACKED = (PLAIN, *ZIPPED, LZW, PACKBITS, LZMA, ZSTD)
TYPES = {(1, 8): "u1", (1, 16): "u2", (2, 8): "i1", (2, 16): "i2"}
TYPES |= {(3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
"""numpy's type by the tag SampleFormat and the bits of a sample."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
NOTHING, ACROSS, FLOATING = 1, 2, 3
"""Of the tag Predictor: how samples were made small before they were packed."""
MOST_SAMPLES = 4096


@dataclass(frozen=True)
class Layout:
    """Where the samples of a picture stand in its file."""

    width: int
    height: int
    channels: int
    type: np.dtype[Any]
    """In the order of bytes of the file."""
    photometric: int
    orientation: int
    compression: int
    predictor: int
    separate: bool
    """Whether each channel has strips of its own."""
    chunk: tuple[int, int]
    """Height and width of a strip or a tile."""
    tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def readable(self) -> bool:
        """Whether the samples are values of channels, packed in a way that `samples` knows."""
        known = self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
        return known and self.compression in UNPACKED


def layout(content: bytes) -> Layout | None:
    """The layout of the first picture; None where its samples are of no type in `TYPES` (bilevel,
    say), or its tags are not those of a picture."""
    tags = _tags(content)
    channels = _one(tags, 277, 1)
    bits = set(_all(tags, 258, (1,)))
    forms = set(_all(tags, 339, (1,)))
    name = TYPES.get((forms.pop(), bits.pop())) if len(bits) == len(forms) == 1 else None
    width, height = _one(tags, 256, 0), _one(tags, 257, 0)
    if name is None or not 0 < channels <= MOST_SAMPLES or _one(tags, 266, 1) != 1:
        return None
    tiled = 322 in tags
    rows = min(_one(tags, 278, height), height)
    return Layout(
        width=width,
        height=height,
        channels=channels,
        type=np.dtype(f"{'<' if content[:1] == b'I' else '>'}{name}"),
        photometric=_one(tags, 262, BLACK_IS_ZERO),
        orientation=_one(tags, 274, 1),
        compression=_one(tags, 259, PLAIN),
        predictor=_one(tags, 317, NOTHING),
        separate=_one(tags, 284, 1) == 2 and channels > 1,
        chunk=(_one(tags, 323, 0), _one(tags, 322, 0)) if tiled else (rows, width),
        tiled=tiled,
        offsets=tuple(_all(tags, 324 if tiled else 273, ())),
        lengths=tuple(_all(tags, 325 if tiled else 279, ())),
    )


def samples(content: bytes, found: Layout) -> np.ndarray:
    """All samples [H, W, C] in the machine's order of bytes. Raises RowError for what is cut off or
    broken."""
    tall, wide = found.chunk
    if tall < 1 or wide < 1 or tall * wide > 4 * found.width * found.height + 2**24:
        raise RowError("is a broken image file: its strips or tiles have no size that fits it")
    down, across = -(-found.height // tall), -(-found.width // wide)
    planes = found.channels if found.separate else 1
    if not len(found.offsets) == len(found.lengths) == planes * down * across:
        raise RowError("is a broken image file: strips or tiles are missing")
    made = np.empty((found.height, found.width, found.channels), found.type.newbyteorder("="))
    for number in range(len(found.offsets)):
        plane, place = divmod(number, down * across)
        top, left = place // across * tall, place % across * wide
        rows = min(tall, found.height - top)
        chunk = _chunk(content, found, number, tall if found.tiled else rows)
        columns = min(wide, found.width - left)
        which = slice(plane, plane + 1) if found.separate else slice(None)
        made[top : top + rows, left : left + columns, which] = chunk[:rows, :columns]
    if found.photometric == WHITE_IS_ZERO and found.type.kind == "u":
        made = np.iinfo(made.dtype).max - made
    return made


def _tags(content: bytes) -> Any:
    """The first directory. Raises RowError."""
    if content.startswith(b"MM\0+"):
        raise RowError("is a BigTIFF whose highest bytes stand first; save it the other way round")
    big = content[2:3] == b"+"
    head = content[: 16 if big else 8]
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file = io.BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return {number: tags[number] for number in NUMBERS if number in tags}
    except Exception as error:  # Pillow raises whatever broken tags make it
        raise RowError("is a broken image file: its tags cannot be read") from error


NUMBERS = (256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, *range(322, 326), 339)


def _all(tags: Any, number: int, default: tuple[int, ...]) -> tuple[int, ...]:
    found = tags.get(number, default)
    values = found if isinstance(found, tuple) else (found,)
    if not all(isinstance(value, int) for value in values):
        raise RowError("is a broken image file: its tags cannot be read")
    return values


def _one(tags: Any, number: int, default: int) -> int:
    found = _all(tags, number, (default,))
    return found[0] if found else default


def _chunk(content: bytes, found: Layout, number: int, rows: int) -> np.ndarray:
    """The samples of one strip or tile: [rows, columns, channels]."""
    start, length = found.offsets[number], found.lengths[number]
    packed = content[start : start + length]
    channels = 1 if found.separate else found.channels
    shape = (rows, found.chunk[1], channels)
    size = math.prod(shape) * found.type.itemsize
    if len(packed) < length:
        raise RowError("is a broken image file: it ends too early")
    data = _unpacked(packed, found.compression, shape[1] * channels * found.type.itemsize, rows)
    if len(data) < size:
        raise RowError("is a broken image file: a strip or tile holds too little")
    if found.predictor == FLOATING and found.type.kind == "f":
        return _from_shuffled(np.frombuffer(data, np.uint8, size), shape, found.type.itemsize)
    values = np.frombuffer(data, found.type, size // found.type.itemsize).reshape(shape)
    values = values.astype(found.type.newbyteorder("="))
    if found.predictor == ACROSS:
        whole = values.view(f"u{values.itemsize}")
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    if found.predictor != NOTHING:
        raise RowError("is a TIFF of a kind that cannot be decoded; save it without a predictor")
    return values


def _from_shuffled(data: np.ndarray, shape: tuple[int, int, int], width: int) -> np.ndarray:
    """Undo the predictor of floats: the highest bytes of a row stand first, as differences (Adobe's
    technical note 3)."""
    rows, columns, channels = shape
    steps = data.reshape(rows, -1, channels)
    summed = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, width, columns * channels)
    values = np.ascontiguousarray(summed.transpose(0, 2, 1)).view(f">f{width}")
    return values.reshape(shape).astype(f"=f{width}")


def _unpacked(packed: bytes, compression: int, across: int, rows: int) -> bytes:
    """At most as many bytes as are expected. Raises RowError."""
    if compression == PLAIN:
        return packed
    try:
        if compression in ZIPPED:
            return zlib.decompressobj().decompress(packed, across * rows)
        return _by_pillow(packed, compression, across, rows)
    except Exception as error:  # whatever broken data makes a decoder raise
        raise RowError("is a broken image file: a strip or tile cannot be unpacked") from error


def _by_pillow(packed: bytes, compression: int, across: int, rows: int) -> bytes:
    """The bytes as a grey picture of one strip, which libtiff unpacks."""
    tags = [(256, across), (257, rows), (258, 8), (259, compression), (262, BLACK_IS_ZERO)]
    tags += [(273, 8), (277, 1), (278, rows), (279, len(packed))]
    entries = b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    file = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory
    # past Image.open, whose bound on pixels counts these bytes as such
    with TiffImagePlugin.TiffImageFile(io.BytesIO(file)) as picture:
        return picture.tobytes()
