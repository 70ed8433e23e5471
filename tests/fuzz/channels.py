"""Pictures of four channels: broken TIFF and .npy, lies in their headers; arrays of other kinds."""

from __future__ import annotations

import functools
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.breaking import JUNK, broken_bytes
from fuzz.harness import Border, WrongAnswer
from fuzz.pictures import ARRAYS, OTHERS, bombs
from fuzz.pictures import sound_files as plain_files
from helpers.tiff_files import bands, zipped
from multigraft_vision.reader import image_reader

SIZE, COUNT = 24, 4
SPEC = {
    **{"kind": "image-channels", "size": [SIZE, SIZE], "crop": 1.0, "interpolation": "bilinear"},
    **{"fit": "center", "max_pixels": 1_000_000, "channels": COUNT, "depth": 16},
    **{"range": [0.0, 65_535.0], "mean": [0.5] * COUNT, "std": [0.2] * COUNT},
}


@functools.cache
def sound_files() -> tuple[bytes, ...]:
    """TIFF of every layout, and arrays by rows and by columns."""
    values = np.random.default_rng(0).integers(0, 65_536, (SIZE, SIZE, COUNT)).astype(np.uint16)
    files = []
    for apart, tile, pack, order in itertools.product(
        (False, True), (None, (16, 16)), (None, zipped), "<>"
    ):
        how = {"apart": apart, "tile": tile, "pack": pack, "order": order}
        files.append(bands(values, predictor=2 if pack else 1, big=apart == bool(tile), **how))
    for array in (values, np.asfortranarray(values)):
        file = io.BytesIO()
        np.save(file, array)
        files.append(file.getvalue())
    return tuple(files)


INPUTS = st.one_of(
    *[broken_bytes(st.deferred(lambda: st.sampled_from(sound_files())))] * 5,
    broken_bytes(st.deferred(lambda: st.sampled_from(plain_files()))),
    st.deferred(lambda: st.sampled_from(bombs())),
    st.sampled_from(OTHERS),
    ARRAYS,
    JUNK,
)


@functools.cache
def _right() -> dict[bytes, np.ndarray]:
    reader = image_reader(SPEC)
    return {content: reader.read(content)["image"] for content in sound_files()}


def feed(folder: Path, raw: Any) -> None:
    """A picture has the reader's size; one that was only cut off shows what the whole file
    shows."""
    del folder
    image = image_reader(SPEC).read(raw)["image"]
    if image.shape != (SIZE, SIZE, COUNT) or image.dtype != np.float32:
        raise WrongAnswer(f"{image.dtype} {image.shape}")
    if not np.isfinite(image).all():
        raise WrongAnswer("values that are not finite")
    for whole, right in _right().items():
        if isinstance(raw, bytes) and whole.startswith(raw) and not np.array_equal(right, image):
            raise WrongAnswer(f"the first {len(raw)} of {len(whole)} bytes gave another picture")


BORDER = Border("channels", INPUTS, feed, lambda: list(_right()), prepare=lambda folder: _right())
