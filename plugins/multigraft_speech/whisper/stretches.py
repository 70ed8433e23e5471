"""Whisper's spectrogram of a long sound, a window at a time, equal to that of the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.reader import Stretch
from multigraft.contracts.types import Arrays
from multigraft_speech.long_sound import LongSound, level
from multigraft_speech.whisper.log_mel import (
    HOP,
    RATE,
    WINDOW,
    log_powers,
    loudness,
    normalised,
    powers_of,
)

HALF = WINDOW // 2
BLOCK = 3000
"""Frames that are looked at together for the loudest point."""
Opener = Callable[[], AbstractContextManager[LongSound]]


@dataclass(frozen=True)
class Extent:
    """What is known of a sound once all of it was heard."""

    samples: int
    frames: int
    loudest: float
    """The largest log power, which decides what silence is."""


class LogMelStretches:
    """Rows of at most ``window`` frames of a sound that is longer than one."""

    def __init__(self, sound: LongSound, extent: Extent, mels: int, window: int) -> None:
        self._sound, self._extent, self._mels, self._window = sound, extent, mels, window

    def at(self, start: float) -> Stretch | None:
        """The row from a second on; its end is followed by zeros, as transformers has it."""
        first = round(start * RATE / HOP)
        count = min(self._window, self._extent.frames - first)
        if count <= 0:
            return None
        samples = _around(self._sound, first, count, self._extent.samples)
        features, _ = normalised(powers_of(samples, count, self._mels), self._extent.loudest)
        heard = samples[HALF : HALF + count * HOP]
        row = row_of(features, 0.0, start=first * HOP / RATE)
        return Stretch(row, count * HOP / RATE, level(heard), loudness(features))


class ShortStretches:
    """Rows of a sound of one window at most, which silence fills."""

    def __init__(self, samples: np.ndarray, mels: int, window: int, least: int) -> None:
        self._samples, self._window = samples, window
        self._heard = len(samples) >= least
        powers = log_powers(samples, window, mels)
        self._features, self._silence = normalised(powers, float(powers.max()))

    def at(self, start: float) -> Stretch | None:
        """The row from a second on; silence counts as the sound's. None of what is too short."""
        first = round(start * RATE / HOP)
        if first >= self._window or not self._heard:
            return None
        behind = float(self._silence) if first == 0 else 0.0
        row = row_of(self._features[first:], behind, start=first * HOP / RATE)
        seconds = (self._window - first) * HOP / RATE
        heard = self._features[first : math.ceil(len(self._samples) / HOP)]
        return Stretch(row, seconds, level(self._samples[first * HOP :]), loudness(heard))


def row_of(features: np.ndarray, silence: float, *, start: float | None = None) -> Arrays:
    """Frames as the reader gives them, with the second that they begin at where it is told."""
    mask = np.ones(len(features), dtype=np.int64)
    quiet = np.asarray(silence, dtype=np.float32)
    row: Arrays = {"input_features": features, "attention_mask": mask, "silence": quiet}
    return row if start is None else {**row, "start": np.array(start)}


@contextmanager
def log_mel_stretches(
    opener: Opener, mels: int, window: int, *, least: int
) -> Iterator[LogMelStretches | ShortStretches]:
    """Hear all of a sound once, and open it again to read it; ``least`` samples are one."""
    with opener() as sound:
        beginning = sound.samples(0, window * HOP + 1)
        if len(beginning) <= window * HOP:
            yield ShortStretches(beginning, mels, window, least)
            return
        extent = _extent(sound, mels)
    with opener() as sound:
        yield LogMelStretches(sound, extent, mels, window)


def _extent(sound: LongSound, mels: int) -> Extent:
    """The length and the loudest point, in one pass from the start."""
    first, loudest = 0, -math.inf
    while True:
        samples = sound.samples(max(0, first * HOP - HALF), (first + BLOCK) * HOP + HALF + 1)
        more = len(samples) > BLOCK * HOP + (HALF if first == 0 else WINDOW)
        total = max(0, first * HOP - HALF) + len(samples)
        count = BLOCK if more else total // HOP - first
        if count > 0:
            padded = _padded(samples, first, count, total)
            loudest = max(loudest, float(powers_of(padded, count, mels).max()))
        if not more:
            return Extent(total, total // HOP, loudest)
        first += BLOCK


def _around(sound: LongSound, first: int, count: int, total: int) -> np.ndarray:
    low = max(0, first * HOP - HALF)
    return _padded(sound.samples(low, (first + count) * HOP + HALF), first, count, total)


def _padded(samples: np.ndarray, first: int, count: int, total: int) -> np.ndarray:
    """What ``count`` frames from ``first`` on see: mirrored in front of the sound and behind it."""
    before = HALF if first == 0 else 0
    wanted = count * HOP + 2 * HALF - before
    behind = max(0, wanted - len(samples))
    assert behind == 0 or first * HOP - (0 if first == 0 else HALF) + len(samples) == total
    return np.pad(samples.astype(np.float64)[:wanted], (before, behind), mode="reflect")
