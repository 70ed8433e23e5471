"""Perceptual hash of a spectrogram: which sounds are nearly the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from multigraft import RowError
from multigraft_speech.reader import AudioReader

SECONDS = 30.0
BANDS, TIMES = 24, 48


@dataclass(frozen=True)
class Range:
    """The frequencies that are listened to; frames of 64 ms, a quarter of one apart."""

    rate: int
    low: float
    high: float

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return self.rate * 64 // 1000


VOICE, BIRDS = Range(8000, 150.0, 3400.0), Range(32_000, 2000.0, 16_000.0)
"""What every rate from 8 kHz on can hold, and what is listened to where next to nothing sounds
there."""
HEARD = 0.05
"""The share of a sound's energy from which the range of voices is the one that tells."""
FLOOR = 1e-4
"""Of the loudest band: what is softer (40 dB) counts as silence, whatever noise lies there."""
SILENT = 1e-4
"""The range of samples, full scale being 1, below which nothing is heard: 3 steps of 16 bits."""
FULL, CLIPPED = 0.99, 0.01
"""What counts as full scale, and the share of samples there from which a sound is clipped."""
TINY = 1e-30
ACROSS, UP = 16, 8
"""Waves over time and over frequency."""


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """A DCT hash of each sound's log spectrogram, stretched to one length: uint8 [rows, 127] of 0
    and 1.

    A bit says whether a slow wave over time and frequency is stronger than the median. A change of
    level adds to the mean alone, which is left out; rates from 8 kHz on share the bands. A sound
    that has next to no energy there, as of most birds, is compared by what is above. Silence gives
    zeros and the flaw 1, a sound of which more than 1% stands at full scale the flaw 2.
    """
    reader = AudioReader(sample_rate=VOICE.rate, max_seconds=SECONDS, min_seconds=0.0)
    found, flaws = np.zeros((len(raws), ACROSS * UP - 1), np.uint8), np.zeros(len(raws), np.uint8)
    over, up = _waves(ACROSS, TIMES), _waves(UP, BANDS)
    for row, raw in enumerate(raws):
        try:
            sound = reader.decoded(raw)
            voice = reader.read(sound)["input_values"]
        except RowError:
            continue
        if np.ptp(sound[0]) < SILENT:
            flaws[row] = 1
            continue
        flaws[row] = 2 if np.mean(np.abs(sound[0]) >= FULL) > CLIPPED else 0
        strengths = (over @ _picture(*sound, voice) @ up.T).ravel()[1:]
        found[row] = strengths > np.median(strengths)
    return found, flaws


def _picture(samples: np.ndarray, rate: int, voice: np.ndarray) -> np.ndarray:
    """[TIMES, BANDS] log energies, of the range in which the sound has its energy."""
    energies, share = _energies(voice, VOICE)
    share *= float(voice.var() / max(samples.var(), TINY))
    if share < HEARD:
        energies, _ = _energies(soxr.resample(samples, rate, BIRDS.rate), BIRDS)
    edges = np.linspace(0, len(energies), TIMES + 1)
    sums = np.vstack([np.zeros(BANDS), np.cumsum(energies, axis=0)])
    whole = np.array([np.interp(edges, np.arange(len(sums)), column) for column in sums.T])
    energy = np.diff(whole, axis=1).T
    return np.log(energy / max(energy.max(), TINY) + FLOOR)


def _energies(samples: np.ndarray, part: Range) -> tuple[np.ndarray, float]:
    """[frames, BANDS] energies, and their share of all energy above the lowest band's edge."""
    frame = part.frame
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, frame // 2), frame)[
        :: frame // 4
    ]
    power = np.abs(np.fft.rfft(frames * np.hanning(frame).astype(np.float32))) ** 2
    energies = power @ _bands(part)
    lines = np.fft.rfftfreq(frame, 1 / part.rate)
    return energies, float(energies.sum() / max(power[:, lines >= part.low].sum(), TINY))


def _waves(count: int, size: int) -> np.ndarray:
    """[count, size]: the first rows of the DCT-II, orthonormal."""
    turns = np.outer(np.arange(count), np.arange(size) + 0.5) * (math.pi / size)
    return np.cos(turns) * np.where(np.arange(count) == 0, math.sqrt(0.5), 1.0)[:, None]


def _bands(part: Range) -> np.ndarray:
    """[frequencies, BANDS]: which band each frequency is in, on a logarithmic scale."""
    edges = np.geomspace(part.low, part.high, BANDS + 1)
    lines = np.fft.rfftfreq(part.frame, 1 / part.rate)
    return ((lines[:, None] >= edges[:-1]) & (lines[:, None] < edges[1:])).astype(np.float64)
