"""Whisper's log-mel spectrogram, as transformers' `WhisperFeatureExtractor` computes it. Numpy
only."""

from __future__ import annotations

import functools
import math

import numpy as np

RATE = 16_000
HOP = 160
"""Samples from one spectrum to the next: 10 ms."""
WINDOW = 400
"""Samples in one spectrum: 25 ms."""
QUIETEST = -10.0
"""The log10 power of silence."""
DYNAMIC_RANGE = 8.0
"""What lies 80 dB under the loudest point is silence."""


def frame_count(samples: int) -> int:
    """Frames that see a sound of so many samples; those behind them see silence alone.

    >>> frame_count(160), frame_count(16_000)
    (3, 102)
    """
    return math.ceil((samples + WINDOW // 2) / HOP)


def log_powers(samples: np.ndarray, frames: int, mels: int) -> np.ndarray:
    """log10 of mel powers of float samples: [n] -> [frames, mels], no less than `QUIETEST`.

    Frame i is centred on sample i * `HOP`. In front of the sound it is mirrored; behind it lies
    silence, or where the sound ends with the last frame, its mirror image.
    """
    size = frames * HOP
    padded = np.zeros(max(size, WINDOW))
    padded[: min(len(samples), size)] = samples[:size]
    return powers_of(np.pad(padded, WINDOW // 2, mode="reflect"), frames, mels)


def powers_of(padded: np.ndarray, frames: int, mels: int) -> np.ndarray:
    """The same of samples with half a window around them, [frames * `HOP` + `WINDOW`] or more."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    return _log(windows, mels)


def normalised(powers: np.ndarray, loudest: float) -> tuple[np.ndarray, np.float32]:
    """Log powers as Whisper reads them, float32, and what silence is then; ``loudest`` is the
    largest of the sound."""
    floor = max(QUIETEST, loudest - DYNAMIC_RANGE)
    return ((np.maximum(powers, floor) + 4) / 4).astype(np.float32), np.float32((floor + 4) / 4)


def loudness(features: np.ndarray) -> np.ndarray:
    """Decibels of each frame as Whisper reads it: [frames, mels] -> [frames]."""
    found: np.ndarray = 10 * np.log10((10.0 ** (4 * features - 4)).sum(1))
    return found


def _log(windows: np.ndarray, mels: int) -> np.ndarray:
    spectra = np.fft.rfft(windows * _hann(), axis=1)
    powers = spectra.real**2 + spectra.imag**2
    found: np.ndarray = np.log10(np.maximum(powers @ mel_filters(mels), 10**QUIETEST))
    return found


@functools.cache
def _hann() -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


@functools.cache
def mel_filters(mels: int) -> np.ndarray:
    """Triangles between points of equal distance on Slaney's mel scale, each of area 1: [bins,
    mels]."""
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    points = _frequency(np.linspace(0, _mel(RATE / 2), mels + 2))
    low, middle, high = points[:-2], points[1:-1], points[2:]
    rising = (bins[:, None] - low) / (middle - low)
    falling = (high - bins[:, None]) / (high - middle)
    found: np.ndarray = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    return found


def mel_beginnings(mels: int) -> np.ndarray:
    """The frequencies at which the triangles begin, in Hz: [mels]."""
    return _frequency(np.linspace(0, _mel(RATE / 2), mels + 2))[:mels]


LINEAR_HERTZ, LINEAR_MELS = 1000.0, 15.0
"""Up to here Slaney's scale is linear."""
LOGARITHM = 27 / math.log(6.4)


def _mel(hertz: float) -> float:
    if hertz < LINEAR_HERTZ:
        return hertz * LINEAR_MELS / LINEAR_HERTZ
    return LINEAR_MELS + math.log(hertz / LINEAR_HERTZ) * LOGARITHM


def _frequency(mels: np.ndarray) -> np.ndarray:
    linear = mels * LINEAR_HERTZ / LINEAR_MELS
    above = LINEAR_HERTZ * np.exp((mels - LINEAR_MELS) / LOGARITHM)
    return np.where(mels < LINEAR_MELS, linear, above)
