"""RandAugment (Cubuk et al. 2020) and TrivialAugment (Müller and Hutter 2021), as timm and
torchvision draw them: some operations at one strength, or one at any."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageOps

from multigraft.contracts.frames import FRAME, inverse, shift, then
from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft_vision.channels.planes import Picture
from multigraft_vision.turning import turn

GREY = (128, 128, 128)
"""What comes in where pixels are moved away."""
FILTERS = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
"""One of which is drawn each time that pixels are moved."""
STRONGEST = 10.0
"""The magnitude at which an operation reaches its end, or the highest that is drawn."""
Change = Callable[[Picture, float], Picture]
Back = Callable[[Picture, float], np.ndarray]
WORDS = "as rand-m9-n2-mstd0.5 (magnitude, operations, its deviation; inc1: all stronger with it; "
WORDS += "p0.5: the share that is applied), or trivial"
FORM = re.compile(r"rand((?:-(?:m|n|mstd|inc|p)\d+(?:\.\d+)?)*)")


@dataclass(frozen=True)
class Operation:
    """One change of a picture."""

    value: Callable[[float, bool], float]
    """(level 0 to 1, stronger with the level?) -> the argument of the change."""
    change: Change | None = None
    back: Back | None = None
    """Of one that moves pixels: the map [2, 3] from the changed picture to the one before."""
    signed: bool = False
    """Whether the argument is negated half of the time; of `balanced` ones its distance from 1."""
    balanced: bool = False


def _factor(level: float, increasing: bool) -> float:
    return 0.9 * level if increasing else 1.8 * level + 0.1


def _enhanced(kind: Callable[[Picture], Any]) -> Operation:
    return Operation(_factor, lambda picture, value: kind(picture).enhance(value), balanced=True)


def _posterized(picture: Picture, bits: float) -> Picture:
    """Keep the highest bits; of none, which Pillow 13 refuses, black."""
    if bits < 1:
        return Image.new(picture.mode, picture.size)
    return picture if bits >= 8 else ImageOps.posterize(picture, int(bits))


def _added(picture: Picture, more: float) -> Picture:
    """Make what is darker than 128 brighter."""
    table = [min(255, value + int(more)) if value < 128 else value for value in range(256)]
    return picture.point(table * 3)


def _bits(level: float, increasing: bool) -> int:
    return 4 - int(4 * level) if increasing else int(4 * level)


def _threshold(level: float, increasing: bool) -> int:
    kept = min(256, int(256 * level))
    return 256 - kept if increasing else kept


def _moving(most: float, back: Back) -> Operation:
    return Operation(lambda level, increasing: most * level, back=back, signed=True)


def _plain(change: Callable[[Picture], Picture]) -> Operation:
    return Operation(lambda level, increasing: 0.0, lambda picture, value: change(picture))


OPERATIONS: dict[str, Operation] = {
    "AutoContrast": _plain(ImageOps.autocontrast),
    "Equalize": _plain(ImageOps.equalize),
    "Invert": _plain(ImageOps.invert),
    "Rotate": _moving(30.0, turn),
    "Posterize": Operation(_bits, _posterized),
    "Solarize": Operation(
        _threshold, lambda picture, value: ImageOps.solarize(picture, int(value))
    ),
    "SolarizeAdd": Operation(lambda level, increasing: min(128, int(110 * level)), _added),
    "Color": _enhanced(ImageEnhance.Color),
    "Contrast": _enhanced(ImageEnhance.Contrast),
    "Brightness": _enhanced(ImageEnhance.Brightness),
    "Sharpness": _enhanced(ImageEnhance.Sharpness),
    "ShearX": _moving(0.3, lambda picture, value: np.array([[1, value, 0], [0, 1, 0]])),
    "ShearY": _moving(0.3, lambda picture, value: np.array([[1, 0, 0], [value, 1, 0]])),
    "TranslateXRel": _moving(0.45, lambda picture, value: shift(value * picture.width, 0)),
    "TranslateYRel": _moving(0.45, lambda picture, value: shift(0, value * picture.height)),
}
"""timm's, by their names there."""


@dataclass(frozen=True)
class RandAugment:
    """Operations after another augmentation, on pictures of RGB; targets move with the pixels."""

    first: Augment
    count: int = 2
    magnitude: float = STRONGEST
    deviation: float = 0.0
    """Of the magnitude, drawn normally for each operation."""
    increasing: bool = False
    probability: float = 0.5
    """Of each operation that was drawn to be applied."""
    uniform: bool = False
    """Draw the magnitude evenly up to the one told."""

    frames: ClassVar[bool] = True

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        """Change the row's ``image`` [H, W, 3], and its ``frame`` where it has one."""
        row = self.first(row, rng)
        picture: Picture = Image.fromarray(row["image"])
        steps: list[np.ndarray] = []
        names = rng.choice(list(OPERATIONS), self.count)
        for name in names:
            if rng.random() < self.probability:
                operation = OPERATIONS[name]
                value = argument(operation, self._level(rng), self.increasing, rng)
                picture, moved = changed(picture, operation, value, rng)
                steps += moved
        made = {**row, "image": np.array(picture)}
        if FRAME in row:
            made[FRAME] = reduce(then, steps, row[FRAME]).astype(row[FRAME].dtype)
        return made

    def _level(self, rng: Generator) -> float:
        drawn = self.magnitude
        if self.uniform:
            drawn = rng.uniform(0, drawn)
        elif self.deviation:
            drawn = rng.normal(drawn, self.deviation)
        return min(max(drawn, 0.0), STRONGEST) / STRONGEST


def argument(operation: Operation, level: float, increasing: bool, rng: Generator) -> float:
    """What the change is called with."""
    value = operation.value(level, increasing)
    negated = -1.0 if (operation.signed or operation.balanced) and rng.random() < 0.5 else 1.0
    if operation.balanced:
        return max(0.1, 1.0 + negated * value) if increasing else value
    return negated * value


def changed(
    picture: Picture, operation: Operation, value: float, rng: Generator
) -> tuple[Picture, list[np.ndarray]]:
    """The changed picture, and how its pixels moved."""
    if operation.back is None:
        assert operation.change is not None
        return operation.change(picture, value), []
    back = operation.back(picture, value)
    resample = FILTERS[rng.integers(len(FILTERS))]
    affine = tuple(back.ravel().tolist())
    moved = picture.transform(
        picture.size, Image.Transform.AFFINE, affine, resample, fillcolor=GREY
    )
    return moved, [inverse(back)]


def rand_augment(text: str, first: Augment) -> RandAugment:
    """The augmentation that timm's words ask for. Raises MultigraftError."""
    if text == "trivial":
        return RandAugment(first, count=1, increasing=True, probability=1.0, uniform=True)
    found = FORM.fullmatch(text)
    if found is None:
        raise MultigraftError(f"training.augment.auto_augment: found {text!r}; allowed: {WORDS}")
    told = {key: float(value) for key, value in re.findall(r"-([a-z]+)([\d.]+)", found[1])}
    deviation = told.get("mstd", 0.0)
    made = RandAugment(
        first,
        count=int(told.get("n", 2)),
        magnitude=told.get("m", STRONGEST),
        deviation=deviation,
        increasing=bool(told.get("inc", 0)),
        probability=told.get("p", 0.5),
        uniform=deviation > 100,  # timm's way to say so
    )
    if not 0 <= made.magnitude <= STRONGEST or not 1 <= made.count <= 16 or made.probability > 1:
        raise MultigraftError(
            f"training.augment.auto_augment: found {text!r}; allowed: m0 to m10, n1 to n16, p0 to "
            "p1"
        )
    return made
