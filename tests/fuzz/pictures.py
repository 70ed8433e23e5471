"""Pictures: real files of every format and mode, broken; lies in headers; values that are no
picture."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from fuzz.breaking import JUNK, broken_bytes
from fuzz.harness import Border, WrongAnswer
from multigraft_vision.reader import image_reader

SIZE = 24
SPEC = {
    **{
        "kind": "image",
        "size": [SIZE, SIZE],
        "crop": 1.0,
        "interpolation": "bilinear",
        "fit": "center",
    },
    "max_pixels": 1_000_000,
}
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB"),
}


def _picture(mode: str, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(values[:, :, 0].astype(np.uint16) * 257)
    return Image.fromarray(values).convert("P" if mode == "PA" else mode)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def sound_files() -> tuple[bytes, ...]:
    """A file of each format and mode, and animated, turned, compressed and layered ones."""
    files = [_saved(_picture(mode), kind) for kind, modes in MODES.items() for mode in modes]
    frames = [_picture("RGB", seed) for seed in (1, 2, 3)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        files.append(_saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    turned = Image.Exif()
    turned[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        files.append(_saved(_picture("RGB"), kind, exif=turned))
    files += [
        _saved(_picture("RGB"), "TIFF", compression=each)
        for each in ("tiff_lzw", "tiff_deflate", "jpeg")
    ]
    files.append(_saved(_picture("RGB"), "JPEG", progressive=True, icc_profile=b"junk" * 9))
    files.append(_saved(_picture("P"), "PNG", transparency=bytes(range(200))))
    return tuple(files)


def _png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@functools.cache
def bombs() -> tuple[bytes, ...]:
    """Small files that claim, or unpack to, very much."""
    zeros = zlib.compress(bytes(2**27), 9)
    text = b"zTXt" + b"Comment\0\0" + zeros
    png = _png(8, 8, 8, 2, zlib.compress(bytes(8 * 25)))
    bloated = (
        png[:33]
        + struct.pack(">I", len(text) - 4)
        + text
        + struct.pack(">I", zlib.crc32(text))
        + png[33:]
    )
    gif = b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6)
    return (
        _png(2**31 - 1, 2**31 - 1, 8, 2, zeros),
        _png(50_000, 50_000, 1, 0, zeros),
        _png(1_000, 1_000, 16, 6, zeros),
        _png(1_000_000, 1, 8, 2, zeros),
        _png(0, 0, 8, 2, zeros),
        _png(24, 24, 8, 3, zeros),
        bloated,
        gif + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\0;",
        _saved(Image.new("1", (9_000, 9_000)), "TIFF", compression="group4"),
        _saved(Image.new("RGB", (3_000, 3_000)), "WEBP", lossless=True),
        b"BM"
        + struct.pack("<IHHIIiiHHI", 2**31, 0, 0, 54, 40, 2**30, -(2**30), 1, 24, 0)
        + bytes(24),
        _saved(Image.new("RGB", (1, 999_999)), "TIFF", compression="tiff_lzw"),
    )


OTHERS = (
    *(
        b"",
        b"\0",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
    ),
    *(
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\x04\0\0\0WEBP",
        b"II*\0\x08\0\0\0",
        b"PK\x03\x04",
    ),
)
ARRAYS = st.sampled_from(
    [
        *(
            np.zeros((0, 4), np.uint8),
            np.zeros((4, 4, 7), np.uint8),
            np.zeros((4, 4, 3), np.float64),
        ),
        *(
            np.zeros((1, 2, 3, 4), np.uint8),
            np.array(["a"]),
            np.array([None]),
            np.zeros((3, 9, 9), np.uint8),
        ),
        *(np.zeros((1, 10**6, 3), np.uint8), np.zeros((), np.uint8), np.zeros((4, 0, 3), np.uint8)),
    ]
)
MAPPINGS = st.one_of(
    st.dictionaries(st.sampled_from(["bytes", "path", "array", "x"]), JUNK, max_size=3),
    broken_bytes(st.sampled_from(sound_files())).map(
        lambda content: {"bytes": content, "path": None}
    ),
)
INPUTS = st.one_of(
    *[broken_bytes(st.deferred(lambda: st.sampled_from(sound_files())))] * 5,
    st.deferred(lambda: st.sampled_from(bombs())),
    st.sampled_from(OTHERS),
    MAPPINGS,
    ARRAYS,
    JUNK,
)


@functools.cache
def _right() -> dict[bytes, np.ndarray]:
    reader = image_reader(SPEC)
    known = {}
    for content in sound_files():
        with Image.open(io.BytesIO(content)) as picture:
            if picture.mode != "F":
                known[content] = reader.read(content)["image"]
    return known


def feed(folder: Path, raw: Any) -> None:
    """A picture has the reader's size; one that was only cut off shows what the whole file
    shows."""
    if isinstance(raw, bytes) and len(raw) % 2:  # every other one as a file
        (folder / "picture.png").write_bytes(raw)
        image = image_reader(SPEC).read(folder / "picture.png")["image"]
    else:
        image = image_reader(SPEC).read(raw)["image"]
    if image.shape != (SIZE, SIZE, 3) or image.dtype != np.uint8:
        raise WrongAnswer(f"{image.dtype} {image.shape}")
    if isinstance(raw, bytes):
        _same_as_whole(raw, image)


def _same_as_whole(cut: bytes, image: np.ndarray) -> None:
    if len(cut) < 16:
        raise WrongAnswer("a picture of a few bytes")
    for whole, right in _right().items():
        if whole.startswith(cut) and not np.array_equal(right, image):
            raise WrongAnswer(f"the first {len(cut)} of {len(whole)} bytes gave another picture")


BORDER = Border("image", INPUTS, feed, lambda: list(_right()), prepare=lambda folder: _right())
