"""Room simulation: a reverberation that fades exponentially behind the direct sound (Polack 1988).
Numpy only."""

from __future__ import annotations

import numpy as np

DIRECT = (0.0, 20.0)
"""How much more power the direct sound has than all that follows it, from and to, in decibels."""


def impulse_response(
    rate: int, fading: float, ratio: float, rng: np.random.Generator
) -> np.ndarray:
    """What is heard of a click: itself at once, so that nothing is said later, then noise that is
    60 decibels weaker after ``fading`` seconds, and together ``ratio`` decibels weaker.

    >>> impulse_response(8000, 0.0, 10, np.random.default_rng(0)).tolist()
    [1.0]
    """
    count = round(fading * rate)
    tail = rng.standard_normal(count) * 10 ** (-3 * np.arange(1, count + 1) / max(count, 1))
    power = np.square(tail).sum()
    tail *= np.sqrt(10 ** (-ratio / 10) / power) if power else 0.0
    return np.concatenate([[1.0], tail])


def in_room(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The sound as heard in a room, as long as before."""
    if len(response) == 1:
        return sound
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    product = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    return np.fft.irfft(product, size)[: len(sound)]


def powers_in_room(powers: np.ndarray, rate: float, fading: float, ratio: float) -> np.ndarray:
    """The same of a spectrogram's powers [T, bands], ``rate`` frames a second: what fades is the
    power of earlier frames."""
    count = min(round(fading * rate), len(powers) - 1)
    shares = 10 ** (-6 * np.arange(1, count + 1) / (fading * rate)) if count > 0 else np.zeros(0)
    shares *= 10 ** (-ratio / 10) / max(shares.sum(), np.finfo(float).tiny)
    found = powers.copy()
    for behind, share in enumerate(shares, 1):
        found[behind:] += share * powers[:-behind]
    return found
