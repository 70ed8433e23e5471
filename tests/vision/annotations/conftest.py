"""A few pictures of known sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Paint = Callable[..., Path]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Save a picture of a size in the folder of the test."""

    def painted(name: str, size: tuple[int, int] = (64, 48), turned: int = 1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = turned
        Image.new("RGB", size, "white").save(path, exif=exif)
        return path

    return painted
