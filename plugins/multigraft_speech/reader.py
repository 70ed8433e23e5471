"""From a sound file, bytes or array to mono samples at one rate: numpy, soundfile and soxr only."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from multigraft.errors import RowError
from multigraft.records import Arrays, Spec

RATES = range(1000, 768_001)
"""Sample rates a header may name; others are a broken or hostile file."""
MAX_CHANNELS = 64
LOUDEST = 1e6
"""Beyond this a float sample is garbage, and its square no longer safe in float32."""
FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31}


@dataclass(frozen=True)
class AudioReader:
    """Reads one sound as ``input_values`` float32 [T] and ``attention_mask`` int64 [T].

    Channels are averaged, another rate is resampled (soxr HQ), and what lies beyond ``max_seconds`` is never
    decoded.
    """

    sample_rate: int = 16_000
    max_seconds: float = 30.0
    min_seconds: float = 0.05

    @property
    def fills(self) -> Mapping[str, float]:
        """Both arrays are padded with zeros."""
        return {"input_values": 0, "attention_mask": 0}

    def read(self, raw: Any) -> Arrays:
        """Read a path, the bytes of a file, samples at this reader's rate, or a pair (samples, rate).

        Samples are float, int16, int32 or uint8, [T] or [T, channels]. A dict as `datasets` gives for an
        audio column (``bytes`` and ``path``, or ``array`` and ``sampling_rate``) is read too.
        """
        samples, rate = self._samples(raw)
        if rate != self.sample_rate and len(samples):
            samples = soxr.resample(samples, rate, self.sample_rate)
        samples = samples[: round(self.max_seconds * self.sample_rate)]
        self._check(samples)
        values = np.ascontiguousarray(samples, dtype=np.float32)
        return {"input_values": values, "attention_mask": np.ones(len(values), dtype=np.int64)}

    def length(self, row: Arrays) -> int:
        """Samples."""
        return len(row["input_values"])

    def spec(self) -> Spec:
        """The settings, as `audio_reader` takes them."""
        return {"kind": "audio", **asdict(self)}

    def _samples(self, raw: Any) -> tuple[np.ndarray, int]:
        """Mono float32 samples and their rate."""
        if isinstance(raw, Mapping):
            raw = _from_mapping(raw)
        if isinstance(raw, str | PathLike):
            return self._decode_path(Path(raw))
        if isinstance(raw, bytes | bytearray | memoryview):
            return self._decode(io.BytesIO(raw))
        if isinstance(raw, np.ndarray):
            return self._mono(raw, self.sample_rate)
        if isinstance(raw, tuple) and len(raw) == 2 and isinstance(raw[0], np.ndarray):
            return self._mono(*raw)
        raise RowError(f"a {type(raw).__name__} is no sound; give a path, bytes, an array or (array, rate)")

    def _decode_path(self, path: Path) -> tuple[np.ndarray, int]:
        try:
            with path.open("rb") as file:
                return self._decode(file)
        except OSError as error:
            raise RowError(f"cannot be opened: {error.strerror or type(error).__name__}") from error

    def _decode(self, file: BinaryIO) -> tuple[np.ndarray, int]:
        """Look at the header first: what is decoded is bounded whatever the file claims."""
        try:
            with soundfile.SoundFile(file) as sound:
                _check_header(sound.samplerate, sound.channels)
                frames = math.ceil(self.max_seconds * sound.samplerate)
                found = sound.read(frames, dtype="float32", always_2d=True)
                return found.mean(axis=1), sound.samplerate
        except soundfile.LibsndfileError as error:
            raise RowError(f"cannot be decoded: {error.error_string.rstrip('.')}") from error
        except TypeError as error:  # soundfile's way to say that a .raw file has no header
            raise RowError("cannot be decoded: a headerless file") from error

    def _mono(self, array: np.ndarray, rate: Any) -> tuple[np.ndarray, int]:
        if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] > min(len(array), MAX_CHANNELS)):
            raise RowError(f"samples of shape {array.shape}; give [T] or [T, channels]")
        if not isinstance(rate, int | np.integer):
            raise RowError(f"a rate of type {type(rate).__name__}; give samples a second as an integer")
        _check_header(int(rate), 1)
        array = _as_float(array[: math.ceil(self.max_seconds * int(rate))])
        return (array if array.ndim == 1 else array.mean(axis=1)), int(rate)

    def _check(self, samples: np.ndarray) -> None:
        if not len(samples):
            raise RowError("holds no sound")
        if not np.abs(samples).max() < LOUDEST:  # written so that NaN fails too
            raise RowError("holds samples that are not finite, or beyond all measure")
        if len(samples) < self.min_seconds * self.sample_rate:
            seconds = len(samples) / self.sample_rate
            raise RowError(f"{seconds:.3f} s is too short; at least {self.min_seconds:g} s are needed")


def audio_reader(spec: Spec) -> AudioReader:
    """Build the reader that `AudioReader.spec` describes.

    >>> audio_reader({"kind": "audio", "sample_rate": 8000}).sample_rate
    8000
    """
    return AudioReader(**{key: value for key, value in spec.items() if key != "kind"})


def _from_mapping(raw: Mapping[str, Any]) -> Any:
    if raw.get("array") is not None:
        return np.asarray(raw["array"]), raw.get("sampling_rate")
    found = raw["bytes"] if raw.get("bytes") is not None else raw.get("path")
    if found is None:
        raise RowError(
            f"a dict with {', '.join(map(repr, raw)) or 'nothing'}; give 'bytes', 'path' or 'array'"
        )
    return found


def _check_header(rate: int, channels: int) -> None:
    if rate not in RATES:
        raise RowError(f"a rate of {rate} Hz; {RATES[0]} to {RATES[-1]} can be read")
    if channels > MAX_CHANNELS:
        raise RowError(f"{channels} channels; at most {MAX_CHANNELS} can be read")


def _as_float(array: np.ndarray) -> np.ndarray:
    """Samples as float32, full scale at 1."""
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype.name in FULL_SCALE:
        return (array / FULL_SCALE[array.dtype.name]).astype(np.float32)
    raise RowError(f"samples of type {array.dtype}; give float, int16, int32 or uint8")
