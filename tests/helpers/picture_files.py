"""PNG and TIFF files written by hand, so that what is read is compared with the values that were
written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

Tag = tuple[int, str, Sequence[int]]


def packed(values: Iterable[int], bits: int) -> bytes:
    """Values one after another, the highest bit first, filled up to a byte."""
    text = "".join(format(value, f"0{bits}b") for value in values)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def png(
    rows: Sequence[Sequence[int]], width: int, *, bits: int, kind: int, **chunks: bytes
) -> bytes:
    """Rows of samples; ``kind`` 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA; PLTE, tRNS as
    given."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    data = b"".join(b"\0" + packed(row, bits) for row in rows)
    extra = b"".join(chunk(name.encode(), value) for name, value in chunks.items())
    body = (
        chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def ifd(tags: Sequence[tuple[int, int, int, bytes]], end: str = "<") -> bytes:
    """A directory of tags as (number, type, count, 4 bytes), as EXIF and TIFF have it, and no other
    after."""
    entries = [struct.pack(end + "HHI", *tag[:3]) + tag[3] for tag in sorted(tags)]
    return struct.pack(end + "H", len(tags)) + b"".join(entries) + bytes(4)


def exif(tags: Sequence[tuple[int, int, int, bytes]], turn: int | None = 6) -> bytes:
    """EXIF that turns a picture, with further tags."""
    tags = [*tags, *([] if turn is None else [(0x0112, 3, 1, struct.pack("<HH", turn, 0))])]
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + ifd(tags)


def tiff(
    values: np.ndarray,
    *,
    bits: int = 0,
    grey: int = 1,
    form: int = 1,
    alpha: int | None = None,
    data: bytes | None = None,
    odd: Sequence[tuple[int, int, int, bytes]] = (),
) -> bytes:
    """Samples [H, W] or [H, W, C] in their own type and order of bytes, in one strip without
    compression."""
    end = ">" if values.dtype.byteorder == ">" else "<"
    samples = values.shape[2] if values.ndim == 3 else 1
    photometric = {1: grey, 2: grey, 3: 2, 4: 2 if alpha is not None else 5}[samples]
    content = values.tobytes() if data is None else data
    depth = (bits or values.dtype.itemsize * 8,) * samples
    spill = struct.pack(f"{end}{samples}H", *depth) + struct.pack(
        f"{end}{samples}H", *((form,) * samples)
    )
    start = 8 + len(spill)
    long = [(256, values.shape[1]), (257, values.shape[0]), (273, start), (278, values.shape[0])]
    short = [
        (259, 1),
        (262, photometric),
        (277, samples),
        *([(338, alpha)] if alpha is not None else []),
    ]
    tags = [
        (number, 4, 1, struct.pack(end + "I", value))
        for number, value in [*long, (279, len(content))]
    ]
    tags += [(number, 3, 1, struct.pack(end + "HH", value, 0)) for number, value in short]
    for number, at, value in ((258, 8, depth[0]), (339, 8 + 2 * samples, form)):
        if samples > 2:
            tags.append((number, 3, samples, struct.pack(end + "I", at)))
        else:
            pair = (value, value if samples == 2 else 0)
            tags.append((number, 3, samples, struct.pack(end + "HH", *pair)))
    magic = b"MM\0*" if end == ">" else b"II*\0"
    head = magic + struct.pack(end + "I", start + len(content))
    return head + spill + content + ifd([*tags, *odd], end)
