"""What a detector and a segmenter answer, in words and in pictures."""

from __future__ import annotations

from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from rich.console import Console

from multigraft.cli.answer_table import table
from multigraft.cli.drawing import draw
from multigraft.cli.inputs import Input
from multigraft.errors import RowError
from multigraft.runtime.answers.label_maps.run_lengths import lengths_of, to_text

LABELS = ("sky", "road", "car")


def said(answers: list[dict[str, Any]]) -> list[list[str]]:
    """The words of each line of the table."""
    console = Console(file=StringIO(), width=200)
    console.print(table([f"{place}.png" for place in range(len(answers))], answers))
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]  # type: ignore[attr-defined]


def found(count: int) -> list[dict[str, Any]]:
    return [{"label": "car", "score": 0.5, "box": [1.0, 2.25, 30.0, 4.0]} for _ in range(count)]


def test_a_detectors_boxes_are_a_line_each() -> None:
    lines = said([{"objects": found(2)}, {"objects": []}, {"error": "broken"}])
    assert lines[0] == ["input", "label", "score", "box", "objects", "error"]
    row = ["car", "0.5000", "1.0000,", "2.2500,", "30.0000,", "4.0000"]
    assert lines[2:] == [["0.png", *row], row, ["1.png", "none"], ["2.png", "broken"]]


def test_many_boxes_are_counted() -> None:
    lines = said([{"objects": found(25)}])
    assert len(lines) == 2 + 20 + 1
    assert lines[-1][:4] == ["...", "and", "5", "more"]


def test_a_segmenters_shares_are_shown_and_its_masks_are_not() -> None:
    mask = {"size": [2, 2], "counts": "abcdef" * 1000}
    segments = [{"label": label, "share": 0.5, "mask": mask} for label in ("sky", "road")]
    lines = said([{"size": [480, 640], "segments": segments}])
    assert lines[0] == ["input", "size", "label", "share"]
    assert lines[2:] == [["0.png", "480,", "640", "sky", "0.5000"], ["road", "0.5000"]]


def test_entities_and_scores_keep_their_words() -> None:
    entities = [{"label": "PER", "text": "Grace Hopper", "start": 0, "end": 12, "score": 0.75}]
    lines = said([{"entities": entities}, {"label": "a", "scores": {"a": 0.9, "b": 0.1}}])
    assert lines[2] == ["0.png", "PER", "Grace", "Hopper", "0", "12", "0.7500"]
    assert lines[3:] == [["1.png", "a", "a", "0.9000"], ["b", "0.1000"]]


class TestDrawing:
    @pytest.fixture
    def photo(self, tmp_path: Path) -> Path:
        Image.new("RGB", (60, 40), "black").save(tmp_path / "photo.jpg")
        return tmp_path / "photo.jpg"

    def test_boxes_are_drawn_on_a_copy(self, photo: Path, tmp_path: Path) -> None:
        before = photo.read_bytes()
        objects = [{"label": "car", "score": 0.5, "box": [20, 15, 30, 20]}]
        asked = [Input(str(photo), str(photo)), Input(None, "b", "broken")]
        (file,) = draw(tmp_path / "out", asked, [{"objects": objects}, {"error": "broken"}], LABELS)
        assert file == tmp_path / "out" / "photo.png" and photo.read_bytes() == before
        pixels = np.asarray(Image.open(file))
        assert pixels.shape == (40, 60, 3)
        edge, inside, outside = pixels[34, 35], pixels[30, 35], pixels[38, 5]
        assert edge.any() and not inside.any() and not outside.any()

    def test_of_a_picture_that_lies_on_its_side_too(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=exif)
        path = str(tmp_path / "a.jpg")
        (file,) = draw(tmp_path, [Input(path, path)], [{"objects": found(1)}], LABELS)
        assert Image.open(file).size == (40, 60)

    def test_a_label_map_holds_the_labels_places(self, tmp_path: Path) -> None:
        wanted = np.array([[2, 2, 0], [0, 0, 0]], np.uint8)
        segments = [
            {
                "label": LABELS[number],
                "share": 0.5,
                "mask": {"size": [2, 3], "counts": to_text(lengths_of(wanted == number))},
            }
            for number in (0, 2)
        ]
        answer = {"size": [2, 3], "segments": segments}
        asked = [Input(b"", "rows.parquet row 3"), Input(b"", "rows.parquet row 3")]
        files = draw(tmp_path, asked, [answer, answer], LABELS)
        assert [file.name for file in files] == [
            "rows.parquet-row-3-labels.png",
            "rows.parquet-row-3-labels-2.png",
        ]
        found_map = Image.open(files[0])
        np.testing.assert_array_equal(np.asarray(found_map), wanted)
        assert len({tuple(pixel) for pixel in np.asarray(found_map.convert("RGB"))[0]}) == 2

    def test_a_picture_may_be_bytes_and_must_be_one(self, tmp_path: Path) -> None:
        held = BytesIO()
        Image.new("RGB", (60, 40)).save(held, "PNG")
        answers = [{"objects": found(1)}]
        assert draw(tmp_path, [Input(held.getvalue(), "a")], answers, LABELS)
        with pytest.raises(RowError, match="on files of pictures alone"):
            draw(tmp_path, [Input(np.zeros((4, 4, 3)), "a")], answers, LABELS)

    def test_other_answers_are_not_drawn(self, tmp_path: Path) -> None:
        with pytest.raises(typer.BadParameter, match="boxes or label maps"):
            draw(tmp_path / "out", [Input("a", "a")], [{"label": "x"}], LABELS)
        assert not (tmp_path / "out").exists()
