"""Channels are read as they were written, by tifffile, numpy and Pillow; or the row is refused by
name."""

from __future__ import annotations

import io
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers.picture_files import png
from multigraft import RowError
from multigraft_vision.channels.arrays import open_channels
from multigraft_vision.pictures import open_rgb

LIMIT = 10_000


def values(kind: str, channels: int, shape: tuple[int, int] = (23, 35)) -> np.ndarray:
    found = np.random.default_rng(0).random((*shape, channels)) * (65_535 if kind == "u2" else 255)
    return found.astype(kind)


def tiff(pixels: np.ndarray, *, separate: bool = False, **how: Any) -> bytes:
    file, channels = io.BytesIO(), pixels.shape[2]
    laid = pixels.transpose(2, 0, 1) if separate else pixels
    if channels > 1:
        how["planarconfig"] = "separate" if separate else "contig"
    tifffile.imwrite(
        file, laid if channels > 1 else pixels[:, :, 0], **{"photometric": "minisblack", **how}
    )
    return file.getvalue()


def npy(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def read(raw: Any, channels: int) -> np.ndarray:
    return open_channels(raw, channels=channels, max_pixels=LIMIT)


def refusal(raw: Any, channels: int) -> str:
    with pytest.raises(RowError) as caught:
        read(raw, channels)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_every_layout_of_tiff_is_read_as_tifffile_wrote_it(kind: str, channels: int) -> None:
    pixels = values(kind, channels)
    wanted = pixels if kind in ("u1", "u2") else pixels.astype(np.float32)
    ways = itertools.product((False, True), (None, (16, 32)), (None, "zlib"), "<>", (None, 5))
    for separate, tile, packed, order, rows in ways:
        how = {"separate": separate and channels > 1, "compression": packed, "byteorder": order}
        how |= {"tile": tile} if tile else {"rowsperstrip": rows}
        if packed and kind in ("u1", "u2"):
            how["predictor"] = True
        found = read(tiff(pixels, **how), channels)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted, str(how))


@pytest.mark.parametrize("packed", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_what_pillow_compresses_is_unpacked(packed: str) -> None:
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4), ("CMYK", 4), ("I;16", 1)):
        pixels = values("u2" if mode == "I;16" else "u1", channels)
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        if mode == "CMYK":
            image = Image.frombytes("CMYK", image.size, pixels.tobytes())
        file = io.BytesIO()
        image.save(file, "TIFF", compression=packed)
        np.testing.assert_array_equal(read(file.getvalue(), channels), pixels)


def test_floats_with_the_predictor_of_floats() -> None:
    """The bytes as Adobe's note describes them: by significance, then differences."""
    pixels = values("f4", 2, (3, 5))
    rows = pixels.astype(">f4").view(np.uint8).reshape(3, 10, 4).transpose(0, 2, 1)
    shuffled = rows.reshape(3, 20, 2)
    steps = np.diff(shuffled, axis=1, prepend=np.zeros((3, 1, 2), np.uint8)).astype(np.uint8)
    named, wanted = (struct.pack("<HHI", number, 3, 1) for number in (65_000, 317))
    made = tiff(pixels, extratags=[(65_000, 3, 1, 3, True)]).replace(named, wanted)
    assert made.count(wanted) == 1
    assert made.count(pixels.tobytes()) == 1
    np.testing.assert_array_equal(read(made.replace(pixels.tobytes(), steps.tobytes()), 2), pixels)


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_a_png_of_16_bits_keeps_both_bytes(kind: int, channels: int) -> None:
    pixels = values("u2", channels, (4, 5))
    found = read(png(pixels.reshape(4, -1).tolist(), 5, bits=16, kind=kind), channels)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels)


def test_arrays_of_numpy_in_files_and_in_memory(tmp_path: Path) -> None:
    for kind in ("u1", "u2", "f4", "f8", "i2"):
        pixels = values(kind, 5)
        wanted = pixels if kind in ("u1", "u2") else pixels.astype(np.float32)
        path = tmp_path / f"{kind}.npy"
        path.write_bytes(npy(pixels))
        turned = npy(np.asfortranarray(pixels))
        for raw in (pixels, npy(pixels), str(path), {"bytes": npy(pixels)}, turned):
            np.testing.assert_array_equal(read(raw, 5), wanted)
    assert read(values("u1", 1)[:, :, 0], 1).shape == (23, 35, 1)


def test_the_orientation_turns_channels_as_pillow_turns_pictures() -> None:
    pixels = values("u1", 3)
    for turn in range(1, 9):
        file, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = turn
        Image.fromarray(pixels).save(file, "PNG", exif=exif)
        found = read(file.getvalue(), 3)
        np.testing.assert_array_equal(found, np.asarray(open_rgb(file.getvalue(), LIMIT)))
        deep = tiff(pixels.astype(np.uint16), extratags=[(274, 3, 1, turn, True)])
        np.testing.assert_array_equal(read(deep, 3), found)


def test_what_cannot_be_used_is_told_by_name() -> None:
    four = values("u2", 4)
    assert refusal(tiff(four), 3) == "has 4 channels, and reader.channels is 3"
    assert refusal(npy(four[:, :, 0]), 4) == "has 1 channel, and reader.channels is 4"
    assert "no finite numbers" in refusal(np.full((4, 4, 2), np.nan, np.float32), 2)
    assert "no finite numbers" in refusal(np.full((4, 4, 2), 1e300), 2)
    for kind in ("i4", "u4", "i8", "c8", "?"):
        assert "8 or 16 bits, or floats" in refusal(np.zeros((4, 4, 2), kind), 2) or kind == "?"
    assert "give numbers" in refusal(npy(np.zeros((2, 2), "U3")), 2)
    assert "[H, W, channels]" in refusal(np.zeros((2, 2, 2, 2), np.uint8), 2)
    assert "more than the limit" in refusal(np.zeros((101, 100, 2), np.uint8), 2)
    assert "no pixels" in refusal(np.zeros((0, 4, 2), np.uint8), 2)
    assert "keeps 8 of its 16" in refusal(
        Image.open(io.BytesIO(png([[1, 2, 3]], 1, bits=16, kind=2))), 3
    )
    assert "is empty" in refusal(b"", 2)
    assert "known formats" in refusal(b"nothing of the kind", 2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_cut_off_files_are_refused_and_damaged_ones_never_raise_anything_else() -> None:
    pixels, rng = values("u2", 4), np.random.default_rng(0)
    for whole in (tiff(pixels), tiff(pixels, compression="zlib", tile=(16, 16)), npy(pixels)):
        for share in (0.1, 0.5, 0.95):
            assert refusal(whole[: int(len(whole) * share)], 4)
        for _ in range(150):
            damaged = np.frombuffer(whole, np.uint8).copy()
            damaged[rng.integers(0, min(len(damaged), 400), 6)] = rng.integers(0, 256, 6)
            try:
                assert read(damaged.tobytes(), 4).ndim == 3
            except RowError:
                continue


def test_nothing_is_unpacked_beyond_what_the_header_tells() -> None:
    bomb = tiff(np.zeros((3000, 3000, 4), np.uint8), compression="zlib")
    assert "more than the limit" in refusal(bomb, 4)
    small = tiff(np.zeros((4, 4, 4), np.uint8), compression="zlib", rowsperstrip=4)
    assert read(small, 4).shape == (4, 4, 4)


def test_rgb_of_8_bits_refuses_what_it_would_drop() -> None:
    def said(raw: bytes) -> str:
        with pytest.raises(RowError) as caught:
            open_rgb(raw, LIMIT)
        return str(caught.value)

    more = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    assert "has 4 channels" in said(tiff(values("u1", 4), **more))
    assert "set reader.channels to 4" in said(tiff(values("u2", 4), **more))
    assert "each channel apart" in said(tiff(values("u2", 3), separate=True, photometric="rgb"))
    with pytest.raises(RowError, match=r"reader\.channels"):
        open_rgb(values("u2", 4), LIMIT)
