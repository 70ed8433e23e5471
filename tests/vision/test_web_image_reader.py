"""The reader of pictures for browsers, given the pixels that Pillow decodes: every bit is
Pillow's."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.javascript import open_web_reader, pixels
from multigraft_vision import _IMAGE
from multigraft_vision.images import ImageReader
from multigraft_vision.placed_images import PlacedImageReader

SIZES = [(32, 32), (31, 47), (200, 130), (130, 200), (7, 300), (64, 65), (1, 1), (333, 9)]


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def png(picture: np.ndarray) -> bytes:
    held = BytesIO()
    Image.fromarray(picture).save(held, "PNG")
    return held.getvalue()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    ("size", "crop", "fit"),
    [
        ((32, 32), 1.0, "center"),
        ((48, 48), 0.875, "center"),
        ((40, 24), 0.9, "center"),
        ((33, 57), 0.95, "squash"),
        ((33, 57), 1.0, "pad"),
        ((48, 48), 0.9, "pad"),
    ],
)
def test_every_pixel_is_pillows(
    interpolation: str, size: tuple[int, int], crop: float, fit: str, tmp_path: Path
) -> None:
    reader = ImageReader(
        **{"size": size, "crop": crop, "interpolation": interpolation, "fit": fit},
        **{"max_pixels": 10**6, "fill": (124, 116, 104)},
    )
    web = open_web_reader(_IMAGE.web, reader.spec(), tmp_path)
    for picture, found in zip(
        pictures(), web.read([pixels(each) for each in pictures()]), strict=True
    ):
        assert isinstance(found, dict), found
        np.testing.assert_array_equal(found["image"], reader.read(png(picture))["image"])


@pytest.mark.parametrize(
    ("size", "crop", "fit"),
    [
        ((32, 32), 1.0, "center"),
        ((40, 24), 0.4, "center"),
        ((33, 57), 1.0, "pad"),
        ((48, 48), 1.0, "squash"),
    ],
)
def test_places_and_tiles_are_pythons(
    size: tuple[int, int], crop: float, fit: str, tmp_path: Path
) -> None:
    reader = PlacedImageReader(
        ImageReader(
            **{"size": size, "crop": crop, "interpolation": "bilinear", "fit": fit},
            **{"max_pixels": 10**6, "fill": (124, 116, 104)},
        )
    )
    web = open_web_reader(_IMAGE.web, reader.spec(), tmp_path)
    given = [pixels(each) for each in pictures()]
    tiled = 0
    for picture, one, found in zip(pictures(), web.read(given), web.windows(given), strict=True):
        assert isinstance(one, dict) and isinstance(found, list), (one, found)
        wanted = reader.windows(png(picture))
        assert len(found) == len(wanted)
        tiled += len(wanted) > 1
        for ours, theirs in zip([reader.read(png(picture)), *wanted], [one, *found], strict=True):
            assert ours.keys() == theirs.keys()
            for name, array in ours.items():
                np.testing.assert_array_equal(theirs[name], array, err_msg=name)
    assert (tiled > 0) == (fit == "center")


def test_what_would_be_enlarged_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    reader = ImageReader(
        size=(64, 64), crop=1.0, interpolation="bicubic", fit="center", max_pixels=10_000
    )
    web = open_web_reader(_IMAGE.web, reader.spec(), tmp_path)
    assert "too narrow" in str(web.read([pixels(np.zeros((1, 4000, 3), dtype=np.uint8))])[0])
