"""Random changes of a sound that keep what is said: speed, place, loudness, noise. Numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from multigraft.contracts.reader import Augment, Reader
from multigraft.contracts.types import Arrays


@dataclass(frozen=True)
class Strength:
    """Strength of each change, which is drawn uniformly up to it."""

    speed: float
    """The largest share by which a sound gets faster or slower (and higher or lower)."""
    shift: float
    """The largest share of the sound that is laid before or behind it as silence."""
    gain: float
    """Decibels, up and down."""
    noise: tuple[float, float]
    """Signal-to-noise ratio of added white noise, from and to, in decibels."""


STRENGTHS = {
    "light": Strength(speed=0.0, shift=0.05, gain=6, noise=(25, 50)),
    "strong": Strength(speed=0.12, shift=0.1, gain=12, noise=(5, 40)),
}


def augmentation(
    strength: Literal["light", "strong"], reader: Reader, options: Mapping[str, Any]
) -> Augment:
    """The augmentation of that strength."""
    limits = STRENGTHS[strength]

    def change(row: Arrays, rng: np.random.Generator) -> Arrays:
        return _changed(row, limits, rng)

    return change


def _changed(row: Arrays, strength: Strength, rng: np.random.Generator) -> Arrays:
    sound = _speed(row["input_values"], 1 + strength.speed * rng.uniform(-1, 1))
    sound = _shift(sound, round(len(sound) * strength.shift * rng.uniform(-1, 1)))
    sound = _noise(sound, rng.uniform(*strength.noise), rng)
    sound = sound * 10 ** (strength.gain * rng.uniform(-1, 1) / 20)
    mask = np.ones(len(sound), dtype=np.int64)
    return {**row, "input_values": sound.astype(np.float32), "attention_mask": mask}


def _speed(sound: np.ndarray, factor: float) -> np.ndarray:
    """Play ``factor`` times as fast, by linear interpolation."""
    places = np.arange(0, len(sound) - 1 + 1e-9, factor)
    return sound if factor == 1 else np.interp(places, np.arange(len(sound)), sound)


def _shift(sound: np.ndarray, by: int) -> np.ndarray:
    """Lay silence before it, or behind it where ``by`` is negative: what is cut off is not said."""
    return np.pad(sound, (max(by, 0), max(-by, 0)))


def _noise(sound: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    level = np.sqrt(np.mean(np.square(sound))) * 10 ** (-ratio / 20)
    return sound + level * rng.standard_normal(len(sound), dtype=np.float32)
