"""Average precision equals pycocotools: on random sets with crowds, ties and too many
detections."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from multigraft.runtime.answers.average_precision.matching import Detected, Expected
from multigraft.runtime.answers.average_precision.precision import (
    curves,
    kept_of,
    metrics,
    ordered,
    sizes_there,
)

NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100")
Picture = tuple[Expected, Detected]


def picture(rng: np.random.Generator, classes: int, grid: float) -> Picture:
    """Objects, and detections of which some lie near them; sides and scores are rounded, so that
    many are equal."""
    count, more = rng.integers(0, 8), rng.integers(0, 130 if rng.random() < 0.1 else 20)
    boxes = _boxes(rng, count)
    near = boxes[rng.integers(0, count, more)] if count else _boxes(rng, more)
    far = _boxes(rng, more)
    jittered = near + rng.normal(0, 6, near.shape)
    found = np.where(rng.random((more, 1)) < 0.8, jittered, far)
    found = np.concatenate([found[:, :2], np.maximum(found[:, 2:], found[:, :2] + 1)], 1)
    boxes, found = (np.round(each / grid) * grid for each in (boxes, found))
    crowd = rng.random(count) < 0.15
    sides = boxes[:, 2:] - boxes[:, :2]
    expected = Expected(
        boxes, rng.integers(0, classes, count), sides.prod(1) * rng.uniform(0.4, 1, count), crowd,
        crowd,
    )  # fmt: skip
    scores = np.round(rng.random(more), int(rng.integers(1, 4)))
    return expected, Detected(found, rng.integers(0, classes, more), scores)


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner, side = rng.uniform(0, 300, (count, 2)), rng.lognormal(3.7, 1, (count, 2)) + 4
    return np.concatenate([corner, corner + side], 1)


def ours(pictures: list[Picture], classes: int) -> dict[str, float]:
    rows = [kept_of(found, expected, classes) for expected, found in pictures]
    kept = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    every = np.ones(4, bool)
    return metrics(curves(kept, ordered(kept)), every, [f"c{each}" for each in range(classes)])


def theirs(pictures: list[Picture], classes: int) -> dict[str, float]:
    images: list[Any] = [{"id": number} for number in range(1, len(pictures) + 1)]
    told: list[Any] = []
    said: list[Any] = []
    for number, (expected, found) in enumerate(pictures, 1):
        for box, label, area, crowd in zip(
            expected.boxes, expected.labels, expected.areas, expected.crowd, strict=True
        ):
            told.append(
                {
                    **{"id": len(told) + 1, "image_id": number, "category_id": int(label) + 1},
                    **{"bbox": _sized(box), "area": float(area), "iscrowd": int(crowd)},
                }
            )
        best = found.best(100)
        for box, label, score in zip(best.boxes, best.labels, best.scores, strict=True):
            one = {"image_id": number, "category_id": int(label) + 1, "score": float(score)}
            said.append({**one, "bbox": _sized(box)})
    categories = [{"id": each + 1, "name": f"c{each}"} for each in range(classes)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": told, "categories": categories}
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(said), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return dict(zip(NAMES, judge.stats.tolist(), strict=False))


def _sized(box: np.ndarray) -> list[float]:
    left, top, right, bottom = box.tolist()
    return [left, top, right - left, bottom - top]


@pytest.mark.parametrize("seed", [*range(20), pytest.param(None, marks=pytest.mark.slow)])
def test_figures_are_those_of_pycocotools(seed: int | None) -> None:
    for number in range(500) if seed is None else [seed]:
        rng = np.random.default_rng(number)
        classes, grid = int(rng.integers(1, 5)), float(rng.choice([0.5, 4.0]))
        pictures = [picture(rng, classes, grid) for _ in range(rng.integers(2, 10))]
        if not any(len(found.scores) for _, found in pictures):
            continue
        mine, wanted = ours(pictures, classes), theirs(pictures, classes)
        for name in NAMES:
            assert max(wanted[name], 0) == pytest.approx(mine[name], abs=1e-9), (number, name)


def test_a_picture_that_is_drawn_twice_counts_twice() -> None:
    rng = np.random.default_rng(5)
    pictures = [
        (expected, replace(found, scores=rng.random(len(found.scores))))
        for expected, found in (picture(rng, 2, 0.5) for _ in range(6))
    ]
    chosen = np.array([3, 1, 1, 5, 3, 3])
    rows = [kept_of(found, expected, 2) for expected, found in pictures]
    kept = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    drawn = {name: values[chosen] for name, values in kept.items()}
    found = metrics(curves(drawn, ordered(kept)[chosen]), sizes_there(kept), ["a", "b"])
    anew = metrics(curves(drawn, ordered(drawn)), sizes_there(kept), ["a", "b"])
    assert found == pytest.approx(anew, abs=1e-12)
    assert found["ap"] != pytest.approx(ours(pictures, 2)["ap"], abs=1e-3)
