"""Random changes of one image, for training only: Pillow and numpy, all chance from the generator
given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageOps

from multigraft.contracts.frames import FRAME, inverse, mirror, scaling, shift, then
from multigraft.contracts.reader import Augment, Reader
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft_vision.batch_mixing import BatchMixing
from multigraft_vision.channels.light import blurred, brightened, contrasted, lighting
from multigraft_vision.channels.planes import Picture, Planes, opened, values_of
from multigraft_vision.mosaic import Mosaic
from multigraft_vision.rand_augment import rand_augment
from multigraft_vision.random_erasing import RandomErasing
from multigraft_vision.turning import turn

BILINEAR = Image.Resampling.BILINEAR
BLUR_FROM = 64
"""Images with a shorter side below this many pixels are never blurred: nothing would be left."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may happen to an image: crop, flip, turn, colour, grey, blur, then further
    operations."""

    crop: tuple[float, float] = (1.0, 1.0)
    """The share of the area that a random crop keeps; it is enlarged to the image's size again."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Width to height of the crop."""
    flip: bool = False
    """Mirror half of the images."""
    rotate: float = 0.0
    """Degrees to either side."""
    color: float = 0.0
    """SimCLR's s (Chen et al. 2020, appendix A): 0.8 s brightness, contrast and saturation, 0.2 s
    hue."""
    gray: float = 0.0
    """The share of images that lose their colour."""
    blur: float = 0.0
    """The share of images that are blurred."""
    operations: int = 0
    """How many operations are drawn as in RandAugment (Cubuk et al. 2020)."""
    magnitude: float = 0.5
    """The largest strength of those operations, 0 to 1."""

    frames: ClassVar[bool] = True
    """A row's ``frame`` follows what is done to its image."""

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        """Change the row's ``image`` [H, W, C], and its ``frame`` where it has one."""
        image, steps = self._changed(row["image"], rng)
        changed = {**row, "image": image}
        if FRAME in row:
            changed[FRAME] = reduce(then, steps, row[FRAME]).astype(row[FRAME].dtype)
        return changed

    def apply(self, image: np.ndarray, rng: Generator) -> np.ndarray:
        """A changed copy of an image [H, W, C]. What is for colours is left out of others than RGB
        of 8 bits: of ``color`` brightness and contrast remain."""
        return self._changed(image, rng)[0]

    def _changed(self, image: np.ndarray, rng: Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """The changed copy, and how its pixels moved, step by step."""
        picture, steps = _crop(opened(image), self.crop, self.ratio, rng)
        rgb = not isinstance(picture, Planes)
        if self.flip and rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            steps.append(mirror(picture.width))
        if self.rotate:
            degrees = rng.uniform(-self.rotate, self.rotate)
            picture = TURN(picture, degrees)
            steps.append(inverse(turn(picture, degrees)))
        if self.color and rng.random() < 0.8:
            picture = (_jitter if rgb else lighting)(picture, self.color, rng)
        if rng.random() < self.gray and rgb:
            picture = ImageOps.grayscale(picture).convert("RGB")
        if min(picture.size) >= BLUR_FROM and rng.random() < self.blur:
            radius = rng.uniform(0.1, 2.0) * min(picture.size) / 224  # 0.1 to 2 pixels at 224
            picture = blurred(picture, radius)
        operations = OPERATIONS if rgb else (*LIGHTING, *MOVES)
        for index in rng.integers(len(operations), size=self.operations):
            operation, strength = operations[index], rng.uniform(-self.magnitude, self.magnitude)
            picture = operation(picture, strength)
            if isinstance(operation, Geometric):
                steps.append(inverse(operation.back(picture, strength)))
        return values_of(picture), steps


LIGHT = Policy(crop=(0.8, 1.0), ratio=(0.9, 1.1), flip=True)
STRONG = Policy(crop=(0.3, 1.0), flip=True, color=0.4, operations=2)


def policy(
    strength: Literal["light", "strong"], reader: Reader, options: Mapping[str, Any]
) -> Augment:
    """The augmentation of a run; ``options["flip"]`` is False where mirrored pictures mislead."""
    base = replace({"light": LIGHT, "strong": STRONG}[strength], flip=options["flip"])
    chosen: Augment = _operated(base, reader, options.get("auto_augment"))
    erasing, mosaic, mixup, cutmix = (
        options.get(name, 0.0) for name in ("random_erasing", "mosaic", "mixup", "cutmix")
    )
    if mosaic and (mixup or cutmix):
        raise MultigraftError(
            "training.augment: mosaic is for boxes and masks, mixup and cutmix are for labels; "
            "leave one of them out"
        )
    if erasing:
        chosen = RandomErasing(chosen, erasing)
    if mosaic:
        chosen = Mosaic(chosen, mosaic)
    return BatchMixing(chosen, mixup, cutmix) if mixup or cutmix else chosen


def _operated(base: Policy, reader: Reader, asked: str | None) -> Augment:
    """The policy, whose own colours and operations give way to those of ``auto_augment``, as in
    timm. Raises MultigraftError for channels that are no colours."""
    if asked is None:
        return base
    spec = reader.spec()
    if (spec.get("channels", 3), spec.get("depth", 8)) != (3, 8):
        raise MultigraftError(
            "training.augment.auto_augment: most of its operations are for RGB of 8 bits, and "
            f"reader.channels is {spec['channels']} at the depth {spec['depth']}; use the strength "
            "light or strong, which leave those out"
        )
    return rand_augment(asked, replace(base, color=0.0, operations=0))


def _crop(
    picture: Picture, area: tuple[float, float], ratio: tuple[float, float], rng: Generator
) -> tuple[Picture, list[np.ndarray]]:
    """A random box of that share of the area, enlarged to the whole (Szegedy et al. 2015), and how
    its pixels moved."""
    if area == (1.0, 1.0):
        return picture, []
    width, height = picture.size
    for _ in range(10):
        pixels = rng.uniform(*area) * width * height
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, tall = math.sqrt(pixels * aspect), math.sqrt(pixels / aspect)
        if wide <= width and tall <= height:
            left, top = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
            box = (left, top, left + wide, top + tall)
            steps = [shift(-left, -top), scaling(width / wide, height / tall)]
            return picture.resize(picture.size, BILINEAR, box=box), steps
    return picture, []


@dataclass(frozen=True)
class Geometric:
    """An operation that moves pixels; corners that open take the colour of the top left one."""

    back: Callable[[Picture, float], np.ndarray]
    """(picture, strength) -> the affine map [2, 3] from the changed picture's pixels back."""

    def __call__(self, picture: Picture, strength: float) -> Picture:
        """The picture with its pixels moved."""
        return picture.transform(
            picture.size,
            Image.Transform.AFFINE,
            tuple(self.back(picture, strength).ravel().tolist()),
            BILINEAR,
            fillcolor=picture.getpixel((0, 0)),
        )


TURN = Geometric(turn)


def _jitter(picture: Image.Image, strength: float, rng: Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue in random order."""
    spread = 0.8 * strength
    for index in rng.permutation(4):
        if index == 3:
            picture = _hue(picture, rng.uniform(-0.2 * strength, 0.2 * strength))
        else:
            enhance = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[index]
            picture = enhance(picture).enhance(rng.uniform(max(0.0, 1 - spread), 1 + spread))
    return picture


def _hue(picture: Image.Image, turn: float) -> Image.Image:
    """Turn the colour circle by that share of it."""
    hue, saturation, value = picture.convert("HSV").split()
    step = round(turn * 255) % 256
    turned = hue.point([(level + step) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


Operation = Callable[[Picture, float], Picture]
"""(picture, strength from -1 to 1) -> picture."""


def _enhanced(kind: Callable[[Image.Image], Any]) -> Operation:
    return lambda picture, strength: kind(picture).enhance(1 + 0.9 * strength)


def _posterize(picture: Image.Image, strength: float) -> Image.Image:
    return ImageOps.posterize(picture, 8 - round(4 * abs(strength)))


def _solarize(picture: Image.Image, strength: float) -> Image.Image:
    return ImageOps.solarize(picture, 256 - round(256 * abs(strength)))


MOVES: tuple[Operation, ...] = (
    Geometric(lambda picture, strength: turn(picture, 30 * strength)),
    Geometric(lambda picture, strength: np.array([[1, 0.3 * strength, 0], [0, 1, 0]])),
    Geometric(lambda picture, strength: np.array([[1, 0, 0], [0.3 * strength, 1, 0]])),
    Geometric(lambda picture, strength: shift(0.45 * strength * picture.width, 0)),
    Geometric(lambda picture, strength: shift(0, 0.45 * strength * picture.height)),
)
OPERATIONS: tuple[Operation, ...] = (
    lambda picture, strength: ImageOps.autocontrast(picture),
    lambda picture, strength: ImageOps.equalize(picture),
    _posterize,
    _solarize,
    _enhanced(ImageEnhance.Brightness),
    _enhanced(ImageEnhance.Contrast),
    _enhanced(ImageEnhance.Color),
    _enhanced(ImageEnhance.Sharpness),
    *MOVES,
)
"""RandAugment's operations without the identity."""
LIGHTING: tuple[Operation, ...] = (
    lambda picture, strength: brightened(picture, 1 + 0.9 * strength),
    lambda picture, strength: contrasted(picture, 1 + 0.9 * strength),
)
"""Those among them for channels that are no colours."""
