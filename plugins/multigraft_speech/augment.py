"""Random changes of a sound that keep what is said: speed, place, room, loudness, noise. Numpy
only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays
from multigraft_speech.reader import AudioReader
from multigraft_speech.room import DIRECT, impulse_response, in_room
from multigraft_speech.strengths import STRENGTHS, Strength
from multigraft_speech.whisper.augment import SpectrogramAugmentation
from multigraft_speech.whisper.reader import LogMelReader


def augmentation(
    strength: Literal["light", "strong"],
    reader: AudioReader | LogMelReader,
    options: Mapping[str, Any],
) -> Augment:
    """The augmentation of that strength."""
    limits = STRENGTHS[strength]
    if (room := options.get("room")) is not None:
        limits = replace(limits, room=room)
    if isinstance(reader, LogMelReader):
        return SpectrogramAugmentation(limits, reader.frames)

    def change(row: Arrays, rng: np.random.Generator) -> Arrays:
        return _changed(row, limits, rng, reader.sample_rate)

    return change


def _changed(row: Arrays, strength: Strength, rng: np.random.Generator, rate: int) -> Arrays:
    sound = _speed(row["input_values"], 1 + strength.speed * rng.uniform(-1, 1))
    sound = _shift(sound, round(len(sound) * strength.shift * rng.uniform(-1, 1)))
    if strength.room > 0:
        fading, ratio = strength.room * rng.uniform(), rng.uniform(*DIRECT)
        sound = in_room(sound, impulse_response(rate, fading, ratio, rng))
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
