"""Which sounds are nearly the same: a perceptual hash of the spectrogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft_speech.reader import AudioReader

RATE = 8000
SECONDS = 30.0
FRAME, HOP = 512, 128
BANDS, TIMES = 24, 48
LOW, HIGH = 150.0, 3400.0
FLOOR = 1e-4
"""Of the loudest band: what is softer (40 dB) counts as silence, whatever noise lies there."""
SILENT = 1e-4
"""The range of samples, full scale being 1, below which nothing is heard: 3 steps of 16 bits."""
EDGE = 200
"""Samples at either end in which resampling a level other than 0 rings."""
FULL, CLIPPED = 0.99, 0.01
"""What counts as full scale, and the share of samples there from which a sound is clipped."""
TINY = 1e-30
ACROSS, UP = 16, 8
"""Waves over time and over frequency."""


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """A DCT hash of each sound's log spectrogram, stretched to one length: uint8 [rows, 127] of 0 and 1.

    A bit says whether a slow wave over time and frequency is stronger than the median. A change of level adds
    to the mean alone, which is left out; rates from 8 kHz on share the bands. Silence gives zeros and the
    flaw 1, a sound of which more than 1% stands at full scale the flaw 2.
    """
    reader = AudioReader(sample_rate=RATE, max_seconds=SECONDS, min_seconds=0.0)
    found, flaws = np.zeros((len(raws), ACROSS * UP - 1), np.uint8), np.zeros(len(raws), np.uint8)
    over, up, bands = _waves(ACROSS, TIMES), _waves(UP, BANDS), _bands()
    for row, raw in enumerate(raws):
        try:
            samples = reader.read(raw)["input_values"]
        except RowError:
            continue
        if _range(samples) < SILENT:
            flaws[row] = 1
            continue
        flaws[row] = 2 if np.mean(np.abs(samples) >= FULL) > CLIPPED else 0
        picture = _picture(samples, bands)
        strengths = (over @ picture @ up.T).ravel()[1:]
        found[row] = strengths > np.median(strengths)
    return found, flaws


def _range(samples: np.ndarray) -> float:
    inner = samples[EDGE:-EDGE] if len(samples) > 4 * EDGE else samples
    return float(np.ptp(inner))


def _picture(samples: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """[TIMES, BANDS] log energies."""
    padded = np.pad(samples, FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32))) ** 2 @ bands
    edges = np.linspace(0, len(power), TIMES + 1)
    sums = np.vstack([np.zeros(power.shape[1]), np.cumsum(power, axis=0)])
    whole = np.array([np.interp(edges, np.arange(len(sums)), column) for column in sums.T])
    energy = np.diff(whole, axis=1).T
    loudest = energy.max()
    return np.log(energy / max(loudest, TINY) + FLOOR)


def _waves(count: int, size: int) -> np.ndarray:
    """[count, size]: the first rows of the DCT-II, orthonormal."""
    turns = np.outer(np.arange(count), np.arange(size) + 0.5) * (math.pi / size)
    return np.cos(turns) * np.where(np.arange(count) == 0, math.sqrt(0.5), 1.0)[:, None]


def _bands() -> np.ndarray:
    """[frequencies, BANDS]: which band each frequency is in, on a logarithmic scale."""
    edges = np.geomspace(LOW, HIGH, BANDS + 1)
    lines = np.fft.rfftfreq(FRAME, 1 / RATE)
    return ((lines[:, None] >= edges[:-1]) & (lines[:, None] < edges[1:])).astype(np.float64)
