"""Judges of sounds; each is decoded once for all of them, its first ten minutes at the most."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multigraft import Dropped
from multigraft.contracts.numbers import told_beside
from multigraft.contracts.options import check_limits
from multigraft_speech.likeness import FULL
from multigraft_speech.reader import LOUDEST, MOST_SECONDS, AudioReader

SECONDS = 600.0
"""Of a sound that are decoded."""
FRAME = 0.02
"""Seconds of a frame whose loudness is measured."""
Sound = tuple[np.ndarray, int]
"""Mono samples, full scale being 1, and their rate."""


def sound(raw: Any) -> Sound:
    """The samples of a sound, at their own rate. Raises RowError."""
    return AudioReader(max_seconds=SECONDS, min_seconds=0.0).decoded(raw)


def seconds(raw: Any) -> float:
    """How long a sound is, as its header tells. Raises RowError."""
    reader = AudioReader(max_seconds=MOST_SECONDS, min_seconds=0.0)
    if isinstance(raw, bytes | str | Path):
        return reader.heard(io.BytesIO(raw) if isinstance(raw, bytes) else raw)[0]
    samples, rate = reader.decoded(raw)
    return len(samples) / rate


def broken(options: Mapping[str, Any]) -> Callable[[Sound], Any]:
    """Whatever can be decoded is kept, if it holds samples, all of them numbers that a model can be
    given."""
    del options

    def judged(found: Sound) -> Any:
        if not len(found[0]):
            return Dropped("it holds no samples")
        finite = np.abs(found[0]).max() < LOUDEST  # written so that NaN fails too
        return (
            found
            if finite
            else Dropped("it holds samples that are not finite, or beyond all measure")
        )

    return judged


def length(options: Mapping[str, Any]) -> Callable[[float], Any]:
    """The seconds of a sound."""
    low, high = options["low"], options["high"]
    check_limits("audio-length", low, high)

    def judged(found: float) -> Any:
        if found < low:
            why = f"less than {low:g} seconds"
            return Dropped(why, f"{told_beside(found, low)} s, {why}")
        why = f"more than {high:,g} seconds"
        return found if found <= high else Dropped(why, f"{told_beside(found, high)} s, {why}")

    return judged


def silent(options: Mapping[str, Any]) -> Callable[[Sound], Any]:
    """The share of frames that are loud enough."""
    least, share = 10 ** (options["decibels"] / 20), options["share"]

    def judged(found: Sound) -> Any:
        levels = loudness(*found)
        loud = levels >= least
        if loud.any() and loud.mean() >= share:
            return found
        return Dropped("silent", _quietness(levels, loud, options))

    return judged


def clipped(options: Mapping[str, Any]) -> Callable[[Sound], Any]:
    """The share of samples at full scale."""
    most = options["share"]

    def judged(found: Sound) -> Any:
        share = float(np.mean(np.abs(found[0]) >= FULL)) if len(found[0]) else 0.0
        why = f"more than {most:.0%} of samples at full scale"
        if share <= most:
            return found
        measured = told_beside(100 * share, 100 * most)
        return Dropped(why, f"{measured}% of samples at full scale, more than {100 * most:g}%")

    return judged


def _quietness(levels: np.ndarray, loud: np.ndarray, options: Mapping[str, Any]) -> str:
    """How loud the loudest frame is, or how few are loud."""
    if not len(levels):
        return "silent: it holds no samples"
    level = options["decibels"]
    if loud.any():
        return f"{loud.mean():.2%} of its frames are louder than {level:g} dB of full scale"
    loudest = float(levels.max())
    if not loudest:
        return "silent: its samples are all 0"
    return f"its loudest 20 ms lie at {20 * np.log10(loudest):.0f} dB, below {level:g} dB"


def loudness(samples: np.ndarray, rate: int) -> np.ndarray:
    """[frames]: the root of the mean square of each frame of 20 ms, the last one as it is.

    >>> loudness(np.array([3.0, 3.0, 4.0, 4.0, 1.0]), 100).tolist()
    [3.0, 4.0, 1.0]
    """
    size = max(1, round(FRAME * rate))
    starts = np.arange(0, len(samples), size)
    if not len(starts):
        return np.zeros(0)
    sums = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    lengths = np.diff(np.append(starts, len(samples)))
    return np.sqrt(sums / lengths)
