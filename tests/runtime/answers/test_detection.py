"""Objects as answers: non-maximum suppression, places of the original picture, tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from multigraft.contracts.answers import Window
from multigraft.contracts.frames import mirror, scaling, shift, then
from multigraft.contracts.options import defaults
from multigraft.errors import BundleError
from multigraft.runtime.answers.detection import Detection

LABELS = ["cat", "dog", "fish"]


def window(
    boxes: Any, scores: Any, frame: np.ndarray | None = None, side: tuple[int, int] = (100, 100)
) -> Window:
    row = {
        "frame": np.asarray(scaling(1, 1) if frame is None else frame, np.float32),
        "extent": np.array(side, np.float32),
    }
    outputs = {"boxes": np.asarray(boxes, np.float32), "scores": np.asarray(scores, np.float32)}
    return Window(row, outputs)


def answer(*windows: Window, **asked: Any) -> list[dict[str, Any]]:
    answers = Detection({"labels": LABELS})
    found: list[dict[str, Any]] = answers.answer(
        None, windows, {**defaults(answers.asks), **asked}
    )["objects"]
    return found


def test_boxes_are_told_in_pixels_of_the_picture() -> None:
    frame = then(then(scaling(2, 4), shift(-10, 0)), mirror(100))
    found = answer(window([[20, 8, 60, 40]], [[0.1, 0.9, 0.0]], frame), threshold=0.5)
    assert found == [{"label": "dog", "score": pytest.approx(0.9), "box": [25, 2, 45, 10]}]


@pytest.mark.parametrize("seed", range(4))
def test_suppression_is_that_of_torchvision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner, side = rng.uniform(0, 60, (300, 2)), rng.uniform(5, 40, (300, 2))
    boxes = np.concatenate([corner, corner + side], 1).astype(np.float32)
    scores = rng.permutation(900).reshape(300, 3).astype(np.float32) / 1000
    found = answer(window(boxes, scores), threshold=0.6, top_k=1000)
    position, label = np.nonzero(scores >= 0.6)
    kept = batched_nms(
        torch.from_numpy(boxes[position]),
        torch.from_numpy(scores[position, label]),
        torch.from_numpy(label),
        0.6,
    )
    assert [LABELS.index(each["label"]) for each in found] == label[kept].tolist()
    assert [each["score"] for each in found] == scores[position, label][kept].tolist()


def as_set(given: Window) -> Window:
    """The same, of a graph that tells each object once."""
    outputs = {"queries": given.outputs["boxes"], "scores": given.outputs["scores"]}
    return Window(given.row, outputs)


def test_a_set_of_queries_is_told_whole_unless_asked() -> None:
    boxes, scores = [[0, 0, 10, 10], [0, 0, 10, 10]], [[0.9, 0, 0], [0.8, 0, 0]]
    one = window(boxes, scores)
    assert len(answer(one)) == 1
    assert len(answer(as_set(one))) == 2
    assert len(answer(as_set(one), iou=0.5)) == 1
    assert len(answer(as_set(one), as_set(one))) == 1, "tiles see an object twice"


def test_what_is_asked_for_is_held_to() -> None:
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]
    scores = [[0.9, 0, 0], [0.8, 0.7, 0], [0, 0, 0.2]]
    assert [each["label"] for each in answer(window(boxes, scores))] == ["cat", "dog", "fish"]
    assert len(answer(window(boxes, scores), iou=0.9)) == 4
    assert len(answer(window(boxes, scores), threshold=0.75)) == 1
    assert [each["score"] for each in answer(window(boxes, scores), top_k=1)] == [
        pytest.approx(0.9)
    ]
    assert answer(window(np.zeros((0, 4)), np.zeros((0, 3)))) == []


def test_an_object_in_two_tiles_is_told_once() -> None:
    whole = [70, 10, 120, 40]
    left = window([[70, 10, 100, 40], [5, 5, 20, 20]], [[0.9, 0, 0], [0, 0, 0.5]])
    right = window([[10, 10, 60, 40], [60, 60, 90, 90]], [[0.8, 0, 0], [0, 0.6, 0]], shift(-60, 0))
    found = answer(left, right)
    assert [each["label"] for each in found] == ["cat", "dog", "fish"]
    assert found[1]["box"] == [120, 60, 150, 90]
    assert found[0]["box"] == whole, "the one that no edge cuts"


def test_an_object_that_no_tile_shows_whole_is_put_together() -> None:
    left = window([[10, 20, 100, 60]], [[0.7, 0, 0]])
    right = window([[0, 21, 80, 61]], [[0.8, 0, 0]], shift(-60, 0))
    (found,) = answer(left, right)
    assert (found["box"], found["score"]) == ([10, 20, 140, 61], pytest.approx(0.8))
    others = window([[0, 21, 80, 61]], [[0, 0.8, 0]], shift(-60, 0))
    assert len(answer(left, others)) == 2, "of another class"
    below = window([[0, 55, 80, 95]], [[0.8, 0, 0]], shift(-60, 0))
    assert len(answer(left, below)) == 2, "of another height"


def test_the_edge_of_the_picture_cuts_nothing_off() -> None:
    size = {"picture": np.array([160, 100], np.float32)}
    inner = window([[0, 10, 40, 40]], [[0.5, 0, 0]])
    wide = window([[0, 5, 50, 45]], [[0.9, 0, 0]])
    found = answer(
        Window({**inner.row, **size}, inner.outputs),
        Window({**wide.row, **size}, wide.outputs),
        iou=0.9,
    )
    assert len(found) == 2


def test_bars_around_a_picture_hold_no_part_of_an_object() -> None:
    read = window([[0, 0, 40, 60]], [[0.9, 0, 0]], then(scaling(2, 2), shift(0, 20)))
    padded = Window({**read.row, "picture": np.array([50, 15], np.float32)}, read.outputs)
    (found,) = answer(padded)
    assert found["box"] == [0, 0, 20, 15]


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BundleError, match="tells 2 classes apart, and 3 have names"):
        answer(window([[0, 0, 1, 1]], [[0.5, 0.5]]))
    with pytest.raises(BundleError, match="no numbers"):
        answer(window([[0, 0, np.nan, 1]], [[0.5, 0.5, 0.5]]))


def test_a_picture_is_scored_by_its_objects_and_crowds_are_no_mistake() -> None:
    answers = Detection({"labels": LABELS})
    objects = [
        {"label": "cat", "box": [0, 0, 10, 10], "area": 100, "crowd": False},
        {"label": "dog", "box": [50, 50, 40, 40], "crowd": True},
    ]
    told = [
        {"label": "cat", "score": 0.9, "box": [0, 0, 10, 10]},
        {"label": "dog", "score": 0.8, "box": [52, 52, 60, 60]},
    ]
    rows = [
        answers.score({"objects": some}, {"objects": objects}) for some in (told, told[1:], told)
    ]
    kept = answers.together({name: np.stack([row[name] for row in rows]) for name in rows[0]})
    found = answers.summarise(kept)
    assert found["ap"] == pytest.approx(67 / 101)  # 2 of 3 cats, none wrong: the recalls up to 2/3
    assert found["ar_100"] == pytest.approx(2 / 3)
    assert found["ap_cat"] == found["ap_small"] == found["ap"]
    assert "ap_large" not in found


@pytest.mark.parametrize("objects", [[], [{"label": "cat", "box": [0, 0, 10, 10]}]])
def test_pictures_of_which_nothing_is_told_have_no_precision(objects: Any) -> None:
    answers = Detection({"labels": LABELS})
    row = answers.score({"objects": []}, {"objects": objects})
    kept = answers.together({name: np.stack([value] * 3) for name, value in row.items()})
    assert set(answers.summarise(kept).values()) == {0.0}
