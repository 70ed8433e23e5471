"""A long sound, decoded and resampled block by block: samples are asked for from its start to its
end, and forgotten. Numpy, soundfile, soxr only."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from multigraft.contracts.reader import Excess
from multigraft.contracts.readers import row_file
from multigraft.errors import RowError
from multigraft_speech.headers import check_header, check_whole
from multigraft_speech.reader import LOUDEST, MOST_SECONDS, AudioReader, from_mapping

SILENT = -1000.0
"""The level of a sound whose samples are all 0."""
SECONDS = 10
"""Of a block that is decoded at a time."""


class LongSound:
    """Mono samples at one rate, as they come; what lies before the last question is dropped."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        self._blocks = blocks
        self._held = np.zeros(0, dtype=np.float32)
        self._start = 0
        """The sample of the sound that ``_held`` begins with."""
        self.ended = False

    def samples(self, start: int, end: int) -> np.ndarray:
        """The samples from ``start`` to ``end``, those there are; ``start`` never goes back."""
        self._drop(start)
        parts, count = [self._held], len(self._held)
        while not self.ended and self._start + count < end:
            block = next(self._blocks, None)
            self.ended = block is None
            if block is not None:
                parts.append(block)
                count += len(block)
        self._held = np.concatenate(parts)
        return self._held[start - self._start : end - self._start]

    def _drop(self, before: int) -> None:
        while before > self._start + len(self._held) and not self.ended:
            self._start += len(self._held)
            block = next(self._blocks, None)
            self.ended = block is None
            self._held = self._held[:0] if block is None else block
        gone = min(max(before - self._start, 0), len(self._held))
        self._held, self._start = self._held[gone:], self._start + gone


@contextmanager
def opened(raw: Any, reader: AudioReader) -> Iterator[LongSound]:
    """Open a path, the bytes of a file, or samples, however long. Raises RowError."""
    if isinstance(raw, Mapping):
        raw = from_mapping(raw)
    if isinstance(raw, str | PathLike):
        with row_file(Path(raw)) as file:
            yield LongSound(_resampled(*_decoded(file), reader.sample_rate))
    elif isinstance(raw, bytes | bytearray | memoryview):
        yield LongSound(_resampled(*_decoded(io.BytesIO(raw)), reader.sample_rate))
    else:
        samples, rate = reader.whole(raw)
        step = SECONDS * rate
        blocks = (samples[at : at + step] for at in range(0, len(samples), step))
        yield LongSound(_resampled(blocks, rate, reader.sample_rate))


def seconds_beyond(raw: Any, reader: AudioReader) -> Excess | None:
    """How many seconds a sound has, as its header tells, where those are more than a row holds."""
    raw = from_mapping(raw) if isinstance(raw, Mapping) else raw
    if isinstance(raw, np.ndarray | tuple):
        samples, rate = reader.whole(raw)
        has = len(samples) / rate
    else:
        source = raw if isinstance(raw, str | PathLike) else io.BytesIO(raw)
        has, _ = replace(reader, max_seconds=MOST_SECONDS).heard(source)
    if round(has * reader.sample_rate) <= round(reader.max_seconds * reader.sample_rate):
        return None
    return Excess(has, reader.max_seconds, "seconds", "max_seconds")


def _decoded(file: Any) -> tuple[Iterator[np.ndarray], int]:
    """Mono blocks at the file's own rate, and the rate. Raises RowError."""
    try:
        sound = soundfile.SoundFile(file)
        check_header(sound.samplerate, sound.channels)
        check_whole(sound.extra_info)
    except soundfile.LibsndfileError as error:
        raise RowError(f"cannot be decoded: {error.error_string.rstrip('.')}") from error
    except TypeError as error:  # soundfile's way to say that a .raw file has no header
        raise RowError("cannot be decoded: a headerless file") from error
    return _blocks(sound), sound.samplerate


def _blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    with sound:
        while len(block := sound.read(SECONDS * sound.samplerate, "float32", always_2d=True)):
            yield block.mean(axis=1)


def _resampled(blocks: Iterator[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """The blocks at another rate, as resampled whole. Raises RowError for what is no sound."""
    stream = None if rate == wanted else soxr.ResampleStream(rate, wanted, 1, dtype="float32")
    held = next(blocks, None)
    if held is None:
        raise RowError("holds no sound")
    while held is not None:
        block, held = held, next(blocks, None)
        if not np.abs(block).max(initial=0) < LOUDEST:  # written so that NaN fails too
            raise RowError("holds samples that are not finite, or beyond all measure")
        yield block if stream is None else stream.resample_chunk(block, last=held is None)


def level(samples: np.ndarray) -> float:
    """The loudest sample in decibels below full scale.

    >>> round(level(np.array([0.1, -0.5])), 1), level(np.zeros(3))
    (-6.0, -1000.0)
    """
    loudest = float(np.abs(samples).max(initial=0))
    return 20 * math.log10(loudest) if loudest > 0 else SILENT
