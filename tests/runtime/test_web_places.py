"""Objects and classes of pixels on a page without a server: answered as Python answers them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.javascript import called
from multigraft.contracts.answers import Window
from multigraft.contracts.frames import scaling, shift, then
from multigraft.contracts.options import defaults
from multigraft.runtime.answers.detection import Detection
from multigraft.runtime.answers.segmentation import Segmentation

ANSWERS_JS = Path(str(files("multigraft.runtime.web"))) / "page" / "answers.js"
LABELS = ["cat", "dog", "fish"]
LIKE_TENSORS = """
(() => {
  const typed = { uint8: Uint8Array, float32: Float32Array };
  const tensor = ([name, { type, data, dims }]) => [name, { data: typed[type].from(data), dims }];
  const tensors = (all) => Object.fromEntries(Object.entries(all).map(tensor));
  const windows = given.windows.map(
    ({ row, outputs }) => ({ row: tensors(row), outputs: tensors(outputs) }),
  );
  return m.answers[given.name](given.targets, windows, given.asked);
})()
"""


def tensors(arrays: dict[str, np.ndarray], *, batch: bool) -> dict[str, Any]:
    return {
        name: {
            "type": str(array.dtype),
            "data": array.ravel().tolist(),
            "dims": [*([1] if batch else []), *array.shape],
        }
        for name, array in arrays.items()
    }


def on_page(name: str, windows: list[Window], **asked: Any) -> Any:
    each = [
        {"row": tensors(w.row, batch=False), "outputs": tensors(w.outputs, batch=True)}
        for w in windows
    ]
    given = {"name": name, "targets": {"labels": LABELS}, "windows": each, "asked": asked}
    return called(ANSWERS_JS, LIKE_TENSORS, given)


def row(frame: np.ndarray, input_side: int, picture: tuple[int, int]) -> dict[str, np.ndarray]:
    return {
        "frame": frame.astype(np.float32),
        "extent": np.array([input_side, input_side], np.float32),
        "picture": np.array(picture, np.float32),
    }


def tiles_of(picture: tuple[int, int], scale: float, side: int) -> list[dict[str, np.ndarray]]:
    """Rows of tiles that lie a step apart over a picture."""
    wide, tall = (round(scale * each) for each in picture)
    across, down = scaling(wide / picture[0], tall / picture[1])[[0, 1], [0, 1]]
    return [
        row(then(scaling(across, down), shift(-left, -top)), side, picture)
        for top in range(0, max(1, tall - side + 1), side // 2)
        for left in range(0, max(1, wide - side + 1), side // 2)
    ]


def objects(rng: np.random.Generator, found: dict[str, np.ndarray], count: int) -> Window:
    """Boxes that lie in heaps, many of them at an edge, some scores equal."""
    side = float(found["extent"][0])
    center = rng.integers(0, 5, (count, 2)) * side / 4 + rng.normal(0, 1.5, (count, 2))
    half = rng.choice([6.0, 10.0, 17.0], (count, 2)) + rng.normal(0, 0.7, (count, 2))
    boxes = np.concatenate([center - half, center + half], 1).astype(np.float32)
    scores = (rng.integers(0, 40, (count, 3)) / 40).astype(np.float32) ** 2
    return Window(found, {"boxes": boxes, "scores": scores})


ASKED = [{}, {"threshold": 0.3, "iou": 0.3}, {"top_k": 3}, {"threshold": 0.9025, "iou": 0.95}]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("count", [0, 40, 900])
def test_objects_are_those_that_python_tells(asked: dict[str, Any], count: int) -> None:
    rng = np.random.default_rng(count)
    wanted_all = Detection({"labels": LABELS})
    whole = {**defaults(wanted_all.asks), **asked}
    frame = then(scaling(0.37, 0.37), shift(0, 7))
    window = objects(rng, row(frame, 96, (259, 221)), count)
    wanted = wanted_all.answer(None, [window], whole)
    assert on_page("detection", [window], **whole) == wanted
    assert bool(wanted["objects"]) == (count > 0)


@pytest.mark.parametrize("seed", range(4))
def test_objects_of_tiles_are_joined_as_in_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = Detection({"labels": LABELS})
    windows = [objects(rng, each, 25) for each in tiles_of((200, 120), 0.8, 64)]
    whole = {**defaults(answers.asks), "threshold": 0.4, "iou": 0.5}
    wanted = answers.answer(None, windows, whole)
    assert len(windows) > 4 and len(wanted["objects"]) > 5
    assert on_page("detection", windows, **whole) == wanted


@pytest.mark.parametrize("name", ["boxes", "queries"])
def test_a_page_that_is_asked_nothing_suppresses_as_python_does(name: str) -> None:
    """Options without a default of their own are not told to the page at all."""
    rng = np.random.default_rng(7)
    frame = then(scaling(0.37, 0.37), shift(0, 7))
    found = objects(rng, row(frame, 96, (259, 221)), 60)
    outputs = {name: found.outputs["boxes"], "scores": found.outputs["scores"]}
    window, answers = Window(found.row, outputs), Detection({"labels": LABELS})
    wanted = answers.answer(None, [window], defaults(answers.asks))
    told = {key: value for key, value in defaults(answers.asks).items() if value is not None}
    assert on_page("detection", [window], **told) == wanted


def test_halves_of_an_object_become_one_box() -> None:
    left, right = tiles_of((96, 64), 1.0, 64)
    cat = np.array([[0.8, 0, 0]], np.float32)
    windows = [
        Window(left, {"boxes": np.array([[10, 20, 64, 60]], np.float32), "scores": cat}),
        Window(right, {"boxes": np.array([[0, 21, 58, 61]], np.float32), "scores": cat}),
    ]
    answers = Detection({"labels": LABELS})
    wanted = answers.answer(None, windows, defaults(answers.asks))
    assert len(wanted["objects"]) == 1
    assert on_page("detection", windows, **defaults(answers.asks)) == wanted


def test_what_is_no_number_is_refused_as_in_python() -> None:
    window = Window(
        row(scaling(1, 1), 8, (8, 8)),
        {"boxes": np.zeros((1, 4), np.float32), "scores": np.zeros((1, 2), np.float32)},
    )
    asked = defaults(Detection({}).asks)
    assert "2 classes apart; the page lists 3" in on_page("detection", [window], **asked)


@pytest.mark.parametrize(
    "frame",
    [
        scaling(0.5, 0.25),
        then(scaling(0.2, 0.2), shift(0, 3)),
        then(scaling(3.0, 3.0), shift(-20, -9)),
    ],
)
def test_classes_of_pixels_are_those_that_python_tells(frame: np.ndarray) -> None:
    classes = np.random.default_rng(0).integers(0, 3, (16, 16)).astype(np.uint8)
    classes[:6, :9] = 2
    window = Window(row(frame, 16, (53, 37)), {"classes": classes})
    wanted = Segmentation({"labels": LABELS}).answer(None, [window], {"png": False})
    assert on_page("segmentation", [window]) == wanted


def test_tiles_of_classes_are_joined_as_in_python() -> None:
    rng = np.random.default_rng(1)
    windows = [
        Window(each, {"classes": rng.integers(0, 3, (32, 32)).astype(np.uint8)})
        for each in tiles_of((150, 90), 0.7, 32)
    ]
    wanted = Segmentation({"labels": LABELS}).answer(None, windows, {"png": False})
    assert len(windows) > 4
    assert on_page("segmentation", windows) == wanted


def test_classes_without_a_name_are_refused() -> None:
    window = Window(row(scaling(1, 1), 4, (4, 4)), {"classes": np.full((4, 4), 3, dtype=np.uint8)})
    assert "without a name" in on_page("segmentation", [window])
