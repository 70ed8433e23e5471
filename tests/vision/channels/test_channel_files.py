"""Channels are read as they were written, by hand, by numpy and by Pillow; or the row is refused
by name."""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from helpers.picture_files import png
from helpers.tiff_files import bands, zipped
from multigraft import RowError
from multigraft_vision.channels.arrays import open_channels
from multigraft_vision.pictures import open_rgb

LIMIT = 10_000
PACKERS = {8: "zlib", 5: "lzw", 34925: "lzma", 50000: "zstd"}


def values(kind: str, channels: int, shape: tuple[int, int] = (23, 35)) -> np.ndarray:
    found = np.random.default_rng(0).random((*shape, channels)) * (65_535 if kind == "u2" else 255)
    return found.astype(kind)


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
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_every_layout_of_tiff_is_read_as_it_was_planted(kind: str, channels: int) -> None:
    pixels = values(kind, channels)
    wanted = pixels if kind in ("u1", "u2") else pixels.astype(np.float32)
    predictors = (1, 2, 3) if kind.startswith("f") else (1, 2)
    ways = itertools.product((False, True), (None, (16, 32)), (None, zipped), "<>", predictors)
    for number, (apart, tile, pack, order, predictor) in enumerate(ways):
        how = {"tile": tile, "pack": pack, "order": order, "predictor": predictor}
        how |= {"apart": apart and channels > 1, "rows": (None, 5)[number // 2 % 2]}
        found = read(bands(pixels, big=number % 3 == 0, **how), channels)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted, str(how))


@pytest.mark.parametrize("packed", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"])
def test_what_pillow_compresses_is_unpacked(packed: str) -> None:
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4), ("CMYK", 4), ("I;16", 1)):
        pixels = values("u2" if mode == "I;16" else "u1", channels)
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        if mode == "CMYK":
            image = Image.frombytes("CMYK", image.size, pixels.tobytes())
        for predictor in (1, 1 if packed == "packbits" else 2):
            file = io.BytesIO()
            image.save(file, "TIFF", compression=packed, tiffinfo={317: predictor})
            np.testing.assert_array_equal(read(file.getvalue(), channels), pixels)


def test_white_may_be_zero_and_what_is_no_sample_is_what_pillow_reads() -> None:
    for kind, most in (("u1", 255), ("u2", 65_535)):
        pixels = values(kind, 1)
        np.testing.assert_array_equal(read(bands(pixels, grey=0), 1), most - pixels)
    for mode, channels in (("P", 3), ("1", 1)):
        picture, file = Image.fromarray(values("u1", 3)).convert(mode), io.BytesIO()
        picture.save(file, "TIFF")
        wanted = np.asarray(picture.convert("RGB" if mode == "P" else "L"))
        np.testing.assert_array_equal(read(file.getvalue(), channels).squeeze(), wanted)


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
        deep = bands(pixels.astype(np.uint16), tags=[(274, [turn])])
        np.testing.assert_array_equal(read(deep, 3), found)


def test_what_cannot_be_used_is_told_by_name() -> None:
    four = values("u2", 4)
    assert refusal(bands(four), 3) == "has 4 channels, and reader.channels is 3"
    assert refusal(npy(four[:, :, 0]), 4) == "has 1 channel, and reader.channels is 4"
    assert "no finite numbers" in refusal(np.full((4, 4, 2), np.nan, np.float32), 2)
    assert "no finite numbers" in refusal(np.full((4, 4, 2), 1e300), 2)
    for kind in ("i4", "u4", "i8", "c8", "?"):
        assert "8 or 16 bits, or floats" in refusal(np.zeros((4, 4, 2), kind), 2) or kind == "?"
    assert "give numbers" in refusal(npy(np.zeros((2, 2), "U3")), 2)
    assert "[H, W, channels]" in refusal(np.zeros((2, 2, 2, 2), np.uint8), 2)
    beyond = refusal(np.zeros((101, 100, 2), np.uint8), 2)
    assert "more than the limit" in beyond and "train with reader.max_pixels: 10100" in beyond
    assert "no pixels" in refusal(np.zeros((0, 4, 2), np.uint8), 2)
    assert "keeps 8 of its 16" in refusal(
        Image.open(io.BytesIO(png([[1, 2, 3]], 1, bits=16, kind=2))), 3
    )
    assert "is empty" in refusal(b"", 2)
    assert "known formats" in refusal(b"nothing of the kind", 2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_cut_off_files_are_refused_and_damaged_ones_never_raise_anything_else() -> None:
    pixels, rng = values("u2", 4), np.random.default_rng(0)
    for whole in (bands(pixels), bands(pixels, pack=zipped, tile=(16, 16)), npy(pixels)):
        for share in (0.1, 0.5, 0.95):
            assert refusal(whole[: int(len(whole) * share)], 4)
        for _ in range(150):
            damaged = np.frombuffer(whole, np.uint8).copy()
            damaged[rng.integers(0, min(len(damaged), 400), 6)] = rng.integers(0, 256, 6)
            try:
                assert read(damaged.tobytes(), 4).ndim == 3
            except RowError:
                continue


def encoded(data: bytes, compression: int) -> bytes:
    """Of PackBits, for which imagecodecs takes minutes, 128 bytes and then zeros."""
    if compression in PACKERS:
        return bytes(getattr(imagecodecs, f"{PACKERS[compression]}_encode")(data))
    return b"\x7f" + data[:128] + b"\x81\0" * (len(data) // 128 - 1)


@pytest.mark.parametrize("compression", [*PACKERS, 32773])
def test_nothing_is_unpacked_beyond_what_the_header_tells(compression: int) -> None:
    small = values("u2", 4, (4, 4))
    how = {"compression": compression}
    honest = bands(small, pack=lambda data: encoded(data, compression), **how)
    np.testing.assert_array_equal(read(honest, 4), small)
    lie = bands(small, pack=lambda data: encoded(data + bytes(2**24), compression), **how)
    tracemalloc.start()
    with contextlib.suppress(RowError):
        np.testing.assert_array_equal(read(lie, 4), small)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_a_picture_beyond_the_limit_is_refused_by_its_header() -> None:
    bomb = bands(np.zeros((3000, 3000, 4), np.uint8), pack=zipped)
    assert "more than the limit" in refusal(bomb, 4)


def test_tags_and_tiles_without_proportion_are_refused() -> None:
    """Thousands of tags that name the same bytes, of which tifffile would read each."""
    often = [(700 + number, [1] * 30_000) for number in range(3)]
    whole = bands(values("u2", 4), tags=often)
    np.testing.assert_array_equal(read(whole, 4), values("u2", 4))
    place = whole.index(struct.pack("<HHI", 701, 3, 30_000))
    claims = struct.pack("<HHI", 701, 3, 70_000)
    assert "more than it can hold" in refusal(whole[:place] + claims + whole[place + 8 :], 4)
    tile = bands(values("u2", 4, (4, 4)), tile=(16, 16)).replace(
        struct.pack("<HHII", 323, 4, 1, 16), struct.pack("<HHII", 323, 4, 1, 2**24)
    )
    assert "no size that fits" in refusal(tile, 4)
    strips = bands(values("u2", 4), rows=5).replace(
        struct.pack("<HHII", 278, 4, 1, 5), struct.pack("<HHII", 278, 4, 1, 1)
    )
    assert "strips or tiles are missing" in refusal(strips, 4)
    again = bands(values("u2", 4), rows=1, tags=[(273, [8] * 23), (279, [3_000] * 23)])
    assert "name more than it can hold" in refusal(again, 4)


@pytest.mark.parametrize("library", ["tifffile", "imagecodecs"])
def test_a_library_that_is_not_installed_is_told(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    pixels = values("u2", 4)
    assert refusal(bands(pixels), 4) == (
        f'is a TIFF, and {library} is not installed  ->  pip install "multigraft[tiff]"'
    )
    np.testing.assert_array_equal(read(npy(pixels), 4), pixels)


def test_rgb_of_8_bits_refuses_what_it_would_drop() -> None:
    def said(raw: bytes) -> str:
        with pytest.raises(RowError) as caught:
            open_rgb(raw, LIMIT)
        return str(caught.value)

    more = {"grey": 2, "tags": [(338, [0])]}
    assert "has 4 channels" in said(bands(values("u1", 4), **more))
    assert "set reader.channels to 4" in said(bands(values("u2", 4), **more))
    assert "each channel apart" in said(bands(values("u2", 3), apart=True, grey=2))
    with pytest.raises(RowError, match=r"reader\.channels"):
        open_rgb(values("u2", 4), LIMIT)
