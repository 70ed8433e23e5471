"""The size of a picture as its reader will see it, from its header alone."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from multigraft.contracts.readers import row_file
from multigraft.errors import RowError
from multigraft_vision.pictures import FORMATS, TURNS, orientation

ON_ITS_SIDE = 5
"""From this Orientation of EXIF's on, width and height are exchanged."""


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height, upright by EXIF; None where it cannot be told, which its reader will."""
    if ".." in path.parts:
        return None
    try:
        with row_file(path) as file, Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
            turned = orientation(picture)
    except RowError:
        return None
    except Exception:  # whatever a broken header makes Pillow raise
        return None
    on_its_side = turned in TURNS and turned >= ON_ITS_SIDE
    return (height, width) if on_its_side else (width, height)
