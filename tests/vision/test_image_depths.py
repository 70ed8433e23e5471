"""Pixels of every depth and mode are those that were written, or the row is refused by name."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.picture_files import exif, packed, png, tiff
from multigraft import RowError
from multigraft_vision.pictures import open_rgb

LIMIT = 10_000
DEEP = np.array([[0, 200, 25_700, 65_535]])
SCALED = np.round(DEEP / 257)[0].tolist()


def pixels(raw: Any) -> list[list[int]]:
    """The RGB of the first row."""
    return np.asarray(open_rgb(raw, LIMIT))[0].tolist()


def greys(raw: Any) -> list[int]:
    """The grey values of the first row."""
    found = pixels(raw)
    assert all(red == green == blue for red, green, blue in found)
    return [value[0] for value in found]


def refusal(raw: Any) -> str:
    with pytest.raises(RowError) as caught:
        open_rgb(raw, LIMIT)
    return str(caught.value)


@pytest.mark.parametrize("order", "<>")
def test_grey_of_16_bits_is_scaled(order: str) -> None:
    assert greys(tiff(DEEP.astype(f"{order}u2"))) == SCALED == [0, 1, 100, 255]
    assert greys(Image.fromarray(DEEP.astype(np.uint16))) == SCALED
    assert greys(png(DEEP.tolist(), 4, bits=16, kind=0)) == SCALED
    if order == "<":  # Pillow knows no other
        assert greys(tiff(DEEP.astype("<u2"), grey=0)) == [255, 254, 155, 0]


def test_grey_of_12_bits_is_scaled_by_its_own_depth() -> None:
    values = np.array([[0, 2048, 4095, 16]])
    made = tiff(values.astype("<u2"), bits=12, data=packed(values[0].tolist(), 12))
    assert greys(made) == np.round(values / 4095 * 255)[0].tolist() == [0, 128, 255, 1]


@pytest.mark.parametrize("kind", ["i2", "i4", "u4", "f4", "i1"])
def test_numbers_without_an_agreed_range_are_refused_by_name(kind: str) -> None:
    values = np.array([[0, 1, 100, 120]]).astype(f"<{kind}")
    form = {"i": 2, "u": 1, "f": 3}[kind[0]]
    assert "no agreed range" in refusal(tiff(values, form=form))
    if kind in ("i4", "f4"):
        assert "no agreed range" in refusal(Image.fromarray(values))


@pytest.mark.parametrize(
    "made", [tiff(np.zeros((1, 2), "<f8"), form=3), tiff(np.zeros((1, 2, 2), "<u2"), alpha=2)]
)
def test_a_tiff_that_pillow_cannot_decode_is_called_a_tiff(made: bytes) -> None:
    assert refusal(made) == "is a TIFF of a kind that cannot be decoded; save it as PNG"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_grey_levels_span_black_to_white(bits: int) -> None:
    full = 2**bits - 1
    values = [0, 1, full, full - 1]
    scaled = [round(value * 255 / full) for value in values]
    assert greys(png([values], 4, bits=bits, kind=0)) == scaled
    data = packed(values, bits)
    assert greys(tiff(np.zeros((1, 4), np.uint8), bits=bits, data=data)) == scaled
    turned = [255 - value for value in scaled]
    assert greys(tiff(np.zeros((1, 4), np.uint8), bits=bits, data=data, grey=0)) == turned


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("clear", [0, 1])
def test_the_transparent_grey_of_a_png_is_white(bits: int, clear: int) -> None:
    full = 2**bits - 1
    values = [0, 1, full, full // 2]
    made = png([values], 4, bits=bits, kind=0, tRNS=struct.pack(">H", clear))
    scaled = [round(value * 255 / full) for value in values]
    assert greys(made) == [
        255 if value == clear else grey for value, grey in zip(values, scaled, strict=True)
    ]


def test_the_transparent_colour_of_deep_rgb_is_white() -> None:
    colours = [[25_700, 51_400, 65_535], [257, 514, 771]]
    made = png(
        [[*colours[0], *colours[1]]], 2, bits=16, kind=2, tRNS=struct.pack(">HHH", *colours[1])
    )
    assert pixels(made) == [[100, 200, 255], [255, 255, 255]]
    assert pixels(png([[*colours[0], *colours[1]]], 2, bits=16, kind=2)) == [
        [100, 200, 255],
        [1, 2, 3],
    ]


def test_a_palette_may_be_half_transparent() -> None:
    made = png(
        [[0, 1, 2]],
        3,
        bits=2,
        kind=3,
        PLTE=bytes([10, 20, 30, 0, 0, 0, 9, 9, 9]),
        tRNS=b"\xff\x80\0",
    )
    assert pixels(made) == [[10, 20, 30], [127, 127, 127], [255, 255, 255]]
    layer = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    for mode in ("PA", "La", "LA", "RGBa"):
        changed = layer.convert("LA").convert("La") if mode == "La" else layer.convert(mode)
        assert pixels(changed) == [[127, 127, 127]]


def test_alpha_beside_grey_and_colours() -> None:
    assert greys(png([[100, 255, 100, 0]], 2, bits=8, kind=4)) == [100, 255]
    assert greys(png([[25_700, 65_535, 25_700, 0]], 2, bits=16, kind=4)) == [100, 255]
    assert greys(tiff(np.array([[[100, 255], [100, 0]]], np.uint8), alpha=2)) == [100, 255]
    deep = np.array([[[25_700, 0, 65_535, 65_535], [0, 0, 0, 0]]])
    assert pixels(tiff(deep.astype(">u2"), alpha=2)) == [[100, 0, 255], [255, 255, 255]]
    # multiplied
    assert pixels(tiff(np.array([[[100, 50, 0, 128]]], np.uint8), alpha=1)) == [[227, 177, 127]]


def test_inks_are_subtracted() -> None:
    assert pixels(tiff(np.array([[[0, 0, 0, 0], [255, 0, 0, 0]]], np.uint8))) == [
        [255, 255, 255],
        [0, 255, 255],
    ]
    file = io.BytesIO()
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(file, "JPEG", quality=100)
    assert np.allclose(pixels(file.getvalue()), [0, 255, 255], atol=3)


ODD = {
    "software that is a ratio": (305, 5, 1, struct.pack("<I", 8)),
    "a resolution of letters": (282, 2, 4, b"abc\0"),
    "a directory of letters": (0xA005, 2, 4, b"abc\0"),
    "a type that is none": (305, 99, 1, b"abcd"),
    "four thousand million letters": (305, 2, 2**32 - 1, bytes(4)),
    "XMP that is a number": (700, 4, 1, struct.pack("<I", 1)),
    "a place behind the end": (0x8825, 4, 1, struct.pack("<I", 99_999)),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_odd_exif_hinders_neither_pixels_nor_orientation(name: str) -> None:
    values = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    upright = np.rot90(values, -1).tolist()
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {})):
        file = io.BytesIO()
        Image.fromarray(values).save(file, kind, exif=exif([ODD[name]]), **options)
        read = np.asarray(open_rgb(file.getvalue(), LIMIT))
        assert read.shape == (3, 2, 3)
        assert kind == "JPEG" or read.tolist() == upright
    if ODD[name][0] != 282:
        turned = (0x0112, 3, 1, struct.pack("<HH", 6, 0))
        assert (
            np.asarray(open_rgb(tiff(values, odd=[turned, ODD[name]]), LIMIT)).tolist() == upright
        )


@pytest.mark.parametrize(
    "orientation",
    [
        (3, struct.pack("<HH", 99, 0)),
        (3, bytes(4)),
        (5, struct.pack("<I", 8)),
        (2, b"6\0\0\0"),
        (12, bytes(4)),
    ],
)
def test_an_odd_orientation_turns_nothing(orientation: tuple[int, bytes]) -> None:
    kind, value = orientation
    for format in ("PNG", "JPEG"):
        file = io.BytesIO()
        Image.new("RGB", (3, 2)).save(
            file, format, exif=exif([(0x0112, kind, 1, value)], turn=None)
        )
        assert open_rgb(file.getvalue(), LIMIT).size == (3, 2)


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I;16",
]


@pytest.mark.parametrize("mode", MODES)
def test_strips_change_no_pixel(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    if mode == "I;16":
        image = Image.fromarray(chance.integers(0, 2**16, (23, 7)).astype(np.uint16))
        image.info["transparency"] = int(np.asarray(image)[20, 3])
    else:
        kind = "RGBA" if mode.lower().endswith("a") else "RGB"
        layer = Image.fromarray(chance.integers(0, 256, (23, 7, len(kind)), np.uint8))
        image = layer.convert("LA").convert("La") if mode == "La" else layer.convert(mode)
    if mode == "P":
        image.info["transparency"] = image.getpixel((3, 20))
    kept = dict(image.info)
    whole = np.asarray(open_rgb(image, LIMIT))
    for strip in (1, 15, 7 * 22):
        monkeypatch.setattr("multigraft_vision.depths.STRIP", strip)
        assert (np.asarray(open_rgb(image, LIMIT)) == whole).all()
    assert image.info == kept
    if "transparency" in kept:
        assert whole[20, 3].tolist() == [255, 255, 255]


MEASURED = """
import resource, sys
import numpy as np
from multigraft_vision.pictures import open_rgb
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
open_rgb(np.zeros((2, 2, 4), np.uint8), 10**8)
before = peak()
open_rgb(sys.argv[1], 10**8)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("mode", "size"), [("RGB", 4), ("RGBA", 8), ("LA", 8), ("CMYK", 8), ("I;16", 6)]
)
def test_a_large_picture_is_in_memory_once_beside_its_result(
    mode: str, size: int, tmp_path: Path
) -> None:
    """20 megapixels; in Pillow a pixel takes 1, 2 or 4 bytes."""
    shape = (4000, 5000)
    made = (
        Image.fromarray(np.zeros(shape, np.uint16))
        if mode == "I;16"
        else Image.new(mode, shape[::-1])
    )
    path = tmp_path / "large.tif"
    made.save(path, compression="packbits")
    code = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert int(done.stdout) < size * 20e6 + 50e6
