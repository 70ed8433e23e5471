"""Example sounds of the filters: one that is kept by all, and one for each that is dropped."""

from __future__ import annotations

import io

import numpy as np

RATE = 16_000
Sound = tuple[np.ndarray, int]


def tone() -> Sound:
    """A second of a tone."""
    return _tone(RATE), RATE


def _tone(samples: int) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(samples) / RATE)).astype(np.float32)


def cut_off() -> bytes:
    """A WAV file that ends before its header says."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, _tone(RATE), RATE, format="WAV")
    return content.getvalue()[:2000]


def short() -> Sound:
    """A hundredth of a second."""
    return _tone(RATE // 100), RATE


def silence() -> Sound:
    """Next to nothing."""
    noise = np.random.default_rng(0).normal(0, 1e-5, RATE)
    return noise.astype(np.float32), RATE


def clipped() -> Sound:
    """A tone that was recorded far too loud."""
    return np.clip(10 * _tone(RATE), -1, 1), RATE
