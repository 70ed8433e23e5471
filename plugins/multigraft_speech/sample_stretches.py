"""Samples of a long sound, a row at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from multigraft.contracts.reader import Stretch
from multigraft_speech.long_sound import LongSound, level, opened
from multigraft_speech.reader import AudioReader


class SampleStretches:
    """Rows of at most ``max_seconds``."""

    def __init__(self, sound: LongSound, reader: AudioReader) -> None:
        self._sound, self._reader = sound, reader

    def at(self, start: float) -> Stretch | None:
        """The row from a second on; None where it would be too short to read."""
        rate = self._reader.sample_rate
        first = round(start * rate)
        samples = self._sound.samples(first, first + round(self._reader.max_seconds * rate))
        if len(samples) < max(1, self._reader.min_seconds * rate):
            return None
        return Stretch(self._reader.row(samples, first), len(samples) / rate, level(samples))


@contextmanager
def sample_stretches(raw: Any, reader: AudioReader) -> Iterator[SampleStretches]:
    """Open a sound."""
    with opened(raw, reader) as sound:
        yield SampleStretches(sound, reader)
