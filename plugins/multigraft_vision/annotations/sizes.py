"""The size of a picture as its reader will see it, from its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from multigraft.contracts.orientation import TURNS, orientation
from multigraft.contracts.readers import row_file
from multigraft.errors import RowError
from multigraft_vision.pictures import FORMATS

ON_ITS_SIDE = 5
"""From this Orientation of EXIF's on, width and height are exchanged."""


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height, upright by EXIF; None where it cannot be told, which its reader will."""
    if ".." in path.parts:
        return None
    try:
        with row_file(path) as file, Image.open(file, formats=FORMATS) as picture:
            width, height = _stored(picture)
            turned = orientation(picture)
    except RowError:
        return None
    except Exception:  # whatever a broken header makes Pillow raise
        return None
    on_its_side = turned in TURNS and turned >= ON_ITS_SIDE
    return (height, width) if on_its_side else (width, height)


def _stored(picture: Any) -> tuple[int, int]:
    """Width and height of the pixels as they lie in the file; Pillow's of a TIFF are upright."""
    if picture.format != "TIFF":
        return picture.size[0], picture.size[1]
    return picture.tag_v2[ExifTags.Base.ImageWidth], picture.tag_v2[ExifTags.Base.ImageLength]
