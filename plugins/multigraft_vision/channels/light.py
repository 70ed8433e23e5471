"""Brightness, contrast and blur of channels that are no colours."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import ImageFilter

from multigraft_vision.channels.planes import Picture, Planes


def lighting(picture: Planes, strength: float, rng: Generator) -> Planes:
    """Brightness and contrast in random order, as far as SimCLR's colour jitter of that
    strength."""
    spread = 0.8 * strength
    for index in rng.permutation(2):
        factor = rng.uniform(max(0.0, 1 - spread), 1 + spread)
        picture = (brightened, contrasted)[index](picture, factor)
    return picture


def brightened(picture: Planes, factor: float) -> Planes:
    """Every value times a factor."""
    return picture.changed(lambda values: values * np.float32(factor))


def contrasted(picture: Planes, factor: float) -> Planes:
    """Every value's distance from its channel's mean times a factor."""
    return picture.changed(lambda values: _spread(values, factor))


def blurred(picture: Picture, radius: float) -> Picture:
    """Gaussian blur, by Pillow where it has one: not of floats."""
    kernel = ImageFilter.GaussianBlur(radius)
    if not isinstance(picture, Planes):
        return picture.filter(kernel)
    if picture.each[0].mode == "L":
        return Planes(tuple(each.filter(kernel) for each in picture.each))
    return picture.changed(lambda values: _gaussian(_gaussian(values, radius, 0), radius, 1))


def _spread(values: np.ndarray, factor: float) -> np.ndarray:
    mean = values.mean((0, 1))
    return mean + (values - mean) * np.float32(factor)


def _gaussian(values: np.ndarray, radius: float, axis: int) -> np.ndarray:
    """Convolve along one axis, with edges repeated."""
    reach = max(1, round(3 * radius))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2)
    weights /= weights.sum()
    around = [(reach, reach) if each == axis else (0, 0) for each in range(values.ndim)]
    padded, found = np.pad(values, around, mode="edge"), np.zeros_like(values)
    for at, weight in enumerate(weights):
        found += np.float32(weight) * padded.take(range(at, at + values.shape[axis]), axis)
    return found
