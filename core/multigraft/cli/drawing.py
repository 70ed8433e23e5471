"""``predict --draw``: boxes drawn on pictures, and label maps as PNG."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from multigraft.cli.inputs import Input
from multigraft.errors import RowError

if TYPE_CHECKING:
    from PIL import Image

OBJECTS, SEGMENTS = "objects", "segments"
NOTHING = 255
"""The number in a label map of what no class has."""


def draw(
    folder: Path,
    asked: Sequence[Input],
    answers: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
) -> list[Path]:
    """Draw each answer that has boxes or a label map; gives the files, whose names are the inputs'.

    Boxes are drawn on the picture; a label map is a PNG of one byte a pixel, the place of the label
    among the bundle's, with colours to look at. Raises BadParameter where no answer has either.
    """
    drawn = [
        (each, answer)
        for each, answer in zip(asked, answers, strict=True)
        if OBJECTS in answer or SEGMENTS in answer
    ]
    if not drawn and any("error" not in answer for answer in answers):
        raise typer.BadParameter("--draw is for answers with boxes or label maps of pictures")
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for each, answer in drawn:
        boxes = OBJECTS in answer
        made = _with_boxes(each, answer[OBJECTS], labels) if boxes else _label_map(answer, labels)
        file = _free(folder / f"{_stem(each.shown)}{'' if boxes else '-labels'}.png", files)
        made.save(file)
        files.append(file)
    return files


def _stem(shown: Any) -> str:
    """The name of an input's file, or of its place in a table, as a name on any disk."""
    name = Path(str(shown)).name
    stem = name.removesuffix(Path(name).suffix) if " " not in Path(name).suffix else name
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in stem) or "picture"


def _free(file: Path, taken: Sequence[Path]) -> Path:
    """The name, or where an input before has it the next with a number."""
    number, found = 1, file
    while found in taken:
        number += 1
        found = file.with_name(f"{file.stem}-{number}{file.suffix}")
    return found


def _colour(number: int) -> tuple[int, int, int]:
    """A colour for each label, those of neighbours far apart (the golden ratio around the hues)."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _opened(each: Input) -> Image.Image:
    """The upright picture of an input. Raises RowError for one that is neither file nor bytes."""
    from PIL import Image, ImageOps

    value = each.value
    if not isinstance(value, str | Path | bytes):
        raise RowError(f"{each.shown}: boxes are drawn on files of pictures alone")
    with Image.open(BytesIO(value) if isinstance(value, bytes) else value) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _with_boxes(
    each: Input, objects: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> Image.Image:
    from PIL import ImageDraw

    picture = _opened(each)
    pen = ImageDraw.Draw(picture)
    wide = max(2, round(max(picture.size) / 300))
    for found in reversed(objects):  # the surest comes last, on top
        left, top, width, height = found["box"]
        colour = _colour(labels.index(found["label"]) if found["label"] in labels else 0)
        corners = (left, top, max(left, left + width - 1), max(top, top + height - 1))
        pen.rectangle(corners, outline=colour, width=wide)
        text = f"{found['label']} {found['score']:.2f}"
        place = (left + wide, max(0, top - 12))
        pen.rectangle(pen.textbbox(place, text), fill=colour)
        pen.text(place, text, fill="white")
    return picture


def _label_map(answer: Mapping[str, Any], labels: Sequence[str]) -> Image.Image:
    import numpy as np
    from PIL import Image

    from multigraft.runtime.answers.label_maps.run_lengths import from_text, mask_of

    height, width = answer["size"]
    found = np.full((height, width), NOTHING, np.uint8)
    for each in answer[SEGMENTS]:
        number = labels.index(each["label"])
        found[mask_of(from_text(each["mask"]["counts"]), height, width)] = number
    picture = Image.fromarray(found, "P")
    picture.putpalette([part for number in range(256) for part in _colour(number)])
    return picture
