"""RandAugment is timm's: each operation's pixels, the distribution of what it is called with, how
often it is applied, and which are drawn; and places follow the pixels."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from timm.data import auto_augment as theirs

from multigraft.contracts.frames import FRAME, move_points
from multigraft.errors import MultigraftError
from multigraft_vision.augment import policy
from multigraft_vision.rand_augment import (
    FILTERS,
    OPERATIONS,
    RandAugment,
    argument,
    changed,
    rand_augment,
)
from multigraft_vision.reader import image_reader

INCREASING = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")
DRAWS = 1_500


class Chosen:
    """A generator that always chooses one filter."""

    def __init__(self, number: int) -> None:
        self.number = number

    def integers(self, most: int) -> int:
        return self.number % most


def unchanged(row: dict[str, np.ndarray], rng: Any) -> dict[str, np.ndarray]:
    del rng
    return row


def their_name(name: str, increasing: bool) -> str:
    return f"{name}Increasing" if increasing and name in INCREASING else name


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_an_operations_pixels_are_timms(name: str, number: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (33, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    for increasing in (False, True):
        for level in (0.0, 0.3, 0.75, 1.0):
            value = argument(OPERATIONS[name], level, increasing, np.random.default_rng(1))
            ours, _ = changed(picture, OPERATIONS[name], value, Chosen(number))  # type: ignore[arg-type]
            if name == "Posterize" and value == 0:  # Pillow 13 refuses it, and so does timm
                assert not np.asarray(ours).any()
                continue
            called = theirs.LEVEL_TO_ARG[name] is not None
            told = int(value) if name in ("Posterize", "Solarize", "SolarizeAdd") else value
            wanted = theirs.NAME_TO_OP[name](
                picture, *([told] if called else []), resample=FILTERS[number], fillcolor=(128,) * 3
            )
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(wanted), f"{level}")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if theirs.LEVEL_TO_ARG[name]])
@pytest.mark.parametrize("increasing", [False, True])
@pytest.mark.parametrize("words", ["m9", "m7-mstd0.8", "m10-mstd101", "m3-p1"])
def test_what_an_operation_is_called_with_is_distributed_as_timms(
    name: str, increasing: bool, words: str
) -> None:
    told = dict(part for part in (_pair(each) for each in words.split("-")))
    random.seed(2)
    deviation = told.get("mstd", 0.0)
    hparams = {"magnitude_std": float("inf") if deviation > 100 else deviation}
    operation = theirs.AugmentOp(
        their_name(name, increasing),
        prob=told.get("p", 0.5),
        magnitude=told["m"],
        hparams={**hparams, "img_mean": (128,) * 3},
    )
    wanted: list[float] = []
    operation.aug_fn = lambda image, value, **_: wanted.append(value)
    for _ in range(DRAWS):
        operation(None)
    ours = rand_augment(f"rand-{words}-inc{int(increasing)}", unchanged)
    rng, found = np.random.default_rng(2), []
    for _ in range(DRAWS):
        if rng.random() < ours.probability:
            found.append(argument(OPERATIONS[name], ours._level(rng), increasing, rng))
    assert abs(len(found) - len(wanted)) <= 4 * (DRAWS * 0.5) ** 0.5
    assert stats.ks_2samp(found, wanted).pvalue > 1e-3


def _pair(word: str) -> tuple[str, float]:
    key = word.rstrip("0123456789.")
    return key, float(word[len(key) :])


def test_operations_are_drawn_as_often_as_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    names = {id(operation): name for name, operation in OPERATIONS.items()}

    def noted(picture: Any, operation: Any, value: float, rng: Any) -> tuple[Any, list[Any]]:
        drawn.append(names[id(operation)])
        return picture, []

    monkeypatch.setattr("multigraft_vision.rand_augment.changed", noted)
    row, rng = {"image": np.zeros((4, 4, 3), np.uint8)}, np.random.default_rng(0)
    augment = rand_augment("rand-n3-p1", unchanged)
    for _ in range(2_000):
        augment(row, rng)
    counts = [drawn.count(name) for name in OPERATIONS]
    assert sum(counts) == 6_000
    assert set(theirs._RAND_TRANSFORMS) == set(OPERATIONS)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_places_follow_the_pixels() -> None:
    """A bright square is found again where the frame says, in pictures that were moved alone."""
    moving = {name: each for name, each in OPERATIONS.items() if each.back is not None}
    image = np.zeros((64, 80, 3), np.uint8)
    image[28:34, 36:42] = 255
    rng, seen = np.random.default_rng(0), 0
    for _ in range(200):
        frame, picture = np.eye(2, 3), Image.fromarray(image)
        for name in rng.choice(list(moving), 2):
            value = argument(moving[name], float(rng.uniform(0, 1)), False, rng)
            picture, steps = changed(picture, moving[name], value, rng)
            frame = steps[0] @ np.vstack([frame, [0, 0, 1]])
        weight = np.asarray(picture).mean(2) * (np.asarray(picture).mean(2) > 180)
        across, down = (move_points(np.array([[39.0, 31.0]]), frame))[0]
        if not (6 < across < 74 and 6 < down < 58):
            continue
        y, x = np.mgrid[:64, :80] + 0.5
        found = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
        np.testing.assert_allclose(found, (across, down), atol=0.6)
        seen += 1
    assert seen > 120


def test_a_row_keeps_its_frame_in_step() -> None:
    row = {"image": np.full((16, 16, 3), 9, np.uint8), FRAME: np.eye(2, 3, dtype=np.float32)}
    augment = rand_augment("rand-m10-n8-p1", unchanged)
    found = augment(row, np.random.default_rng(0))
    assert found[FRAME].dtype == np.float32
    assert not np.array_equal(found[FRAME], row[FRAME])
    again = augment(row, np.random.default_rng(0))
    np.testing.assert_array_equal(found["image"], again["image"])


def test_timms_words_are_understood_and_others_refused() -> None:
    found = rand_augment("rand-m9-n3-mstd0.5-inc1-p0.7", unchanged)
    assert found == RandAugment(unchanged, 3, 9.0, 0.5, True, 0.7)
    trivial = rand_augment("trivial", unchanged)
    assert (trivial.count, trivial.probability, trivial.uniform) == (1, 1.0, True)
    for wrong in ("rand-x3", "augmix", "rand-m11", "rand-n0", "rand-p2", "rand-mmax20", ""):
        with pytest.raises(MultigraftError, match=r"training\.augment\.auto_augment: found"):
            rand_augment(wrong, unchanged)


def test_it_stands_in_place_of_the_strengths_own_operations() -> None:
    spec = {
        **{"kind": "image", "size": [16, 16], "crop": 1.0, "interpolation": "bilinear"},
        **{"fit": "center", "max_pixels": 10_000},
    }
    options = {"flip": True, "auto_augment": "rand-m9"}
    made: Any = policy("strong", image_reader(spec), options)
    assert (made.first.operations, made.first.color, made.first.crop) == (0, 0.0, (0.3, 1.0))
    deep = {"channels": 4, "depth": 16, "range": [0.0, 65_535.0]}
    deep |= {"mean": [0.5] * 4, "std": [0.1] * 4}
    with pytest.raises(MultigraftError, match=r"auto_augment.*reader\.channels is 4"):
        policy("light", image_reader({**spec, "kind": "image-channels", **deep}), options)
