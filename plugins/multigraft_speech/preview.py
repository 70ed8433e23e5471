"""Preview of a sound: its first seconds as a small FLAC file for pages."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
import soxr

from multigraft import Preview, RowError
from multigraft_speech.reader import AudioReader

SECONDS = 5.0
"""Of a sound that are heard."""
RATE = 16_000
"""Samples a second at the most: 160 kB before FLAC."""


def preview(raw: Any) -> Preview:
    """The first seconds, mono; what lies beyond full scale is clipped. Raises RowError."""
    # a little more is decoded, which tells that there is more
    samples, rate = AudioReader(max_seconds=SECONDS + 0.1, min_seconds=0.0).decoded(raw)
    if not len(samples) or not np.isfinite(samples).all():
        raise RowError("holds no sound")
    length = len(samples) / rate
    heard = samples[: round(SECONDS * rate)]
    if rate > RATE:
        heard, rate = soxr.resample(heard, rate, RATE), RATE
    with io.BytesIO() as file:
        soundfile.write(file, np.clip(heard, -1, 1), rate, format="FLAC", subtype="PCM_16")
        told = f"the first {SECONDS:g} s" if length > SECONDS else f"{length:.3g} s"
        return Preview("audio/flac", file.getvalue(), told)
