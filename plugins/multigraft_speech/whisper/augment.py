"""Random changes of a spectrogram that keep what is said: speed, place, room, noise, loudness.
Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft_speech.room import DIRECT, powers_in_room
from multigraft_speech.strengths import Strength
from multigraft_speech.whisper.log_mel import HOP, RATE

FRAMES_A_SECOND = RATE / HOP


@dataclass(frozen=True)
class SpectrogramAugmentation:
    """The changes of `multigraft_speech.augment`, of the rows of a `LogMelReader`; played faster, a
    voice gets no higher."""

    strength: Strength
    frames: int
    """The most that a row may have."""

    def __call__(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """A row of other features, [T, mels], and perhaps another T."""
        strength, silence = self.strength, float(row["silence"])
        features = row["input_features"]
        slowest = len(features) / self.frames  # nothing that is said is cut off
        factor = max(1 + strength.speed * rng.uniform(-1, 1), slowest)
        features = _speed(features, factor)
        room = self.frames - len(features)
        by = round(len(features) * strength.shift * rng.uniform(-1, 1))
        features = _shift(features, min(max(by, -room), room), silence)
        powers = 10.0 ** (4 * features - 4)
        if strength.room > 0:
            fading, ratio = strength.room * rng.uniform(), rng.uniform(*DIRECT)
            powers = powers_in_room(powers, FRAMES_A_SECOND, fading, ratio)
        features = _logarithms(_noise(powers, rng.uniform(*strength.noise), rng))
        louder = strength.gain * rng.uniform(-1, 1) / 40  # decibels, as the features count
        changed: Arrays = {
            "input_features": (features + louder).astype(np.float32),
            "attention_mask": np.ones(len(features), dtype=np.int64),
            "silence": np.asarray(silence + louder, dtype=np.float32),
        }
        return {**row, **changed}


def _speed(features: np.ndarray, factor: float) -> np.ndarray:
    """Play ``factor`` times as fast, by linear interpolation between frames."""
    places = np.arange(0, len(features) - 1 + 1e-9, factor)
    low = np.floor(places).astype(int)
    share = (places - low)[:, None]
    high = np.minimum(low + 1, len(features) - 1)
    return features[low] * (1 - share) + features[high] * share


def _shift(features: np.ndarray, by: int, silence: float) -> np.ndarray:
    """Lay silence in front, or behind where ``by`` is negative."""
    around = ((max(by, 0), max(-by, 0)), (0, 0))
    return np.pad(features, around, constant_values=silence)


def _noise(powers: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise at a signal-to-noise ratio in decibels: its powers are exponential."""
    level = powers.mean() / 10 ** (ratio / 10)
    found: np.ndarray = powers + level * rng.exponential(size=powers.shape)
    return found


def _logarithms(powers: np.ndarray) -> np.ndarray:
    """Powers as Whisper reads them."""
    found: np.ndarray = (np.log10(powers) + 4) / 4
    return found
