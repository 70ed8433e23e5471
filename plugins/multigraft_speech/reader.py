"""Audio reader: a file, bytes or array to mono samples at one rate; numpy, soundfile, soxr only."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import soundfile
import soxr
from pydantic import BaseModel, ConfigDict, Field

from multigraft.contracts.reader import Excess, Stretches
from multigraft.contracts.readers import check_spec, row_file
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft.errors import RowError
from multigraft_speech.headers import MAX_CHANNELS, RATES, check_header, check_whole
from multigraft_speech.windows import LONGEST_SECONDS, STEP, cut_windows

LOUDEST = 1e6
"""Beyond this a float sample is garbage, and its square no longer safe in float32."""
MOST_SECONDS = 1e6
"""More than anybody holds in an array."""
MAX_SAMPLES = 2**28
"""The most samples before resampling, 1 GB as they are decoded: 100 minutes at 44.1 kHz."""
BLOCK = 2**22
"""The values (samples times channels) that are decoded at a time: all channels of a long sound are
never in memory together."""
FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31}


class AudioSpec(BaseModel):
    """A saved spec."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    kind: Literal["audio"] = "audio"
    sample_rate: int = Field(16_000, ge=1000, le=768_000)
    max_seconds: float = Field(30.0, gt=0, le=3600)
    min_seconds: float = Field(0.05, ge=0, le=3600)
    places: bool = False


@dataclass(frozen=True)
class AudioReader:
    """Reads one sound as ``input_values`` float32 [T] and ``attention_mask`` int64 [T].

    Channels are averaged, another rate is resampled (soxr HQ), and what lies beyond ``max_seconds``
    is never decoded. Where ``places`` are asked for, also ``start`` float64 []: the second of the
    sound at which the row begins.
    """

    sample_rate: int = 16_000
    max_seconds: float = 30.0
    min_seconds: float = 0.05
    places: bool = False

    @property
    def fills(self) -> Mapping[str, float]:
        """Both arrays are padded with zeros."""
        return {"input_values": 0, "attention_mask": 0}

    def read(self, raw: Any) -> Arrays:
        """Read a path, the bytes of a file, samples at this reader's rate, or a pair (samples,
        rate).

        Samples are float, int16, int32 or uint8, [T] or [T, channels]. A dict as `datasets` gives
        for an audio column (``bytes`` and ``path``, or ``array`` and ``sampling_rate``) is read
        too.
        """
        samples, rate = self.decoded(raw)
        if rate != self.sample_rate and len(samples):
            samples = soxr.resample(samples, rate, self.sample_rate)
        samples = samples[: round(self.max_seconds * self.sample_rate)]
        self._check(samples)
        return self.row(samples, 0)

    def windows(self, raw: Any) -> list[Arrays]:
        """All of a sound as rows of ``max_seconds`` that overlap. Raises RowError for one of more
        than an hour."""
        reader = replace(self, max_seconds=LONGEST_SECONDS)
        row = reader.read(raw)
        if excess := reader.excess(raw, row):
            raise RowError(
                f"is longer than what is read in windows: {excess}; cut it in pieces, or "
                "transcribe it, at any length"
            )
        size = round(self.max_seconds * self.sample_rate)
        windows = cut_windows(row["input_values"], size)
        return [self.row(samples, start) for start, samples in windows]

    def excess(self, raw: Any, row: Arrays) -> Excess | None:
        """How many seconds a sound has, as its header tells, beside those that a row holds."""
        if len(row["input_values"]) < round(self.max_seconds * self.sample_rate):
            return None
        from multigraft_speech.long_sound import seconds_beyond

        return seconds_beyond(raw, self)

    def memory(self, raw: Any) -> int:
        """The most bytes that `read` takes at a time, as the header tells.

        A block of all channels; the mono samples in parts, joined, resampled and copied; the
        arrays.
        """
        held = len(raw) if isinstance(raw, bytes | bytearray | memoryview) else 0
        seconds, rate = self.heard(io.BytesIO(raw) if held else raw)
        decoded = math.ceil(seconds * rate)
        kept = math.ceil(seconds * self.sample_rate)
        return held + 4 * BLOCK + 12 * decoded + 24 * kept

    def windows_memory(self, raw: Any) -> int:
        """The same of `windows`, which share a part of the sound."""
        return math.ceil(replace(self, max_seconds=LONGEST_SECONDS).memory(raw) / STEP)

    def heard(self, source: Any) -> tuple[float, int]:
        """Seconds that are decoded, and their rate; of what has no header, all that may be."""
        if not isinstance(source, str | PathLike | io.BytesIO):
            return self.max_seconds, self.sample_rate
        try:
            with soundfile.SoundFile(source) as sound:
                rate = min(max(sound.samplerate, 1), RATES[-1])
                return min(self.max_seconds, sound.frames / rate), rate
        except (OSError, soundfile.SoundFileError, TypeError) as error:
            raise RowError("its header cannot be read") from error

    def decoded(self, raw: Any) -> tuple[np.ndarray, int]:
        """Decode mono float32 samples at their own rate, at most ``max_seconds``; and the rate."""
        if isinstance(raw, Mapping):
            raw = from_mapping(raw)
        if isinstance(raw, str | PathLike):
            return self._decode_path(Path(raw))
        if isinstance(raw, bytes | bytearray | memoryview):
            return self._decode(io.BytesIO(raw))
        if isinstance(raw, np.ndarray):
            return self._mono(raw, self.sample_rate)
        if isinstance(raw, tuple) and len(raw) == 2 and isinstance(raw[0], np.ndarray):
            return self._mono(*raw)
        raise RowError(
            f"a {type(raw).__name__} is no sound; give a path, bytes, an array or (array, rate)"
        )

    def whole(self, raw: Any) -> tuple[np.ndarray, int]:
        """Mono samples of an array or a pair (samples, rate), however many; and their rate."""
        return replace(self, max_seconds=MOST_SECONDS).decoded(raw)

    def units(self, raw: Any, row: Arrays) -> Units:
        """Time-frequency cells (see `sound_units`)."""
        from multigraft_speech.cells import sound_units

        del raw
        return sound_units(row, self.sample_rate)

    def stretches(self, raw: Any) -> AbstractContextManager[Stretches]:
        """Open a sound of any length, to read rows of ``max_seconds`` of it."""
        from multigraft_speech.sample_stretches import sample_stretches

        return sample_stretches(raw, self)

    def length(self, row: Arrays) -> int:
        """Samples."""
        return len(row["input_values"])

    def spec(self) -> Spec:
        """The settings, as `audio_reader` takes them; places only where they are asked for."""
        settings = asdict(self)
        if not settings["places"]:
            del settings["places"]
        return {"kind": "audio", **settings}

    def row(self, samples: np.ndarray, start: int) -> Arrays:
        """A row of samples at this reader's rate, which lie behind ``start`` others."""
        values = np.ascontiguousarray(samples, dtype=np.float32)
        row: Arrays = {
            "input_values": values,
            "attention_mask": np.ones(len(values), dtype=np.int64),
        }
        if self.places:
            row["start"] = np.array(start / self.sample_rate)
        return row

    def _decode_path(self, path: Path) -> tuple[np.ndarray, int]:
        with row_file(path) as file:
            return self._decode(file)

    def _decode(self, file: BinaryIO) -> tuple[np.ndarray, int]:
        """Look at the header first: what is decoded is bounded whatever the file claims."""
        try:
            with soundfile.SoundFile(file) as sound:
                check_header(sound.samplerate, sound.channels)
                check_whole(sound.extra_info)
                frames = min(math.ceil(self.max_seconds * sound.samplerate), sound.frames)
                return _read_mono(sound, frames), sound.samplerate
        except soundfile.LibsndfileError as error:
            raise RowError(f"cannot be decoded: {error.error_string.rstrip('.')}") from error
        except TypeError as error:  # soundfile's way to say that a .raw file has no header
            raise RowError("cannot be decoded: a headerless file") from error

    def _mono(self, array: np.ndarray, rate: Any) -> tuple[np.ndarray, int]:
        if array.ndim not in (1, 2) or (
            array.ndim == 2 and array.shape[1] > min(len(array), MAX_CHANNELS)
        ):
            raise RowError(f"samples of shape {array.shape}; give [T] or [T, channels]")
        if not isinstance(rate, int | np.integer):
            raise RowError(
                f"a rate of type {type(rate).__name__}; give samples a second as an integer"
            )
        check_header(int(rate), 1)
        array = _as_float(array[: math.ceil(self.max_seconds * int(rate))])
        return (array if array.ndim == 1 else array.mean(axis=1)), int(rate)

    def _check(self, samples: np.ndarray) -> None:
        if not len(samples):
            raise RowError("holds no sound")
        if not np.abs(samples).max() < LOUDEST:  # written so that NaN fails too
            raise RowError("holds samples that are not finite, or beyond all measure")
        if len(samples) < self.min_seconds * self.sample_rate:
            seconds = len(samples) / self.sample_rate
            raise RowError(
                f"{seconds:.3f} s is too short; at least {self.min_seconds:g} s are needed"
            )


def audio_reader(spec: Spec) -> AudioReader:
    """Build the reader that `AudioReader.spec` describes.

    >>> audio_reader({"kind": "audio", "sample_rate": 8000}).sample_rate
    8000
    """
    return AudioReader(**check_spec(spec, AudioSpec).model_dump(exclude={"kind"}))


def from_mapping(raw: Mapping[str, Any]) -> Any:
    """What a dict of `datasets` holds, as a reader takes it. Raises RowError."""
    if raw.get("array") is not None:
        try:
            return np.asarray(raw["array"]), raw.get("sampling_rate")
        except (ValueError, TypeError, OverflowError) as error:
            raise RowError("'array' holds no samples, or lists of several lengths") from error
    found = raw["bytes"] if raw.get("bytes") is not None else raw.get("path")
    if found is None:
        raise RowError(
            f"a dict with {', '.join(map(repr, raw)) or 'nothing'}; give 'bytes', 'path' or 'array'"
        )
    return found


def _read_mono(sound: soundfile.SoundFile, frames: int) -> np.ndarray:
    """The first ``frames`` samples, the channels averaged."""
    if frames > MAX_SAMPLES:
        raise RowError(
            f"would be {frames:,} samples; at most {MAX_SAMPLES:,} are read: lower max_seconds"
        )
    step = max(1, BLOCK // sound.channels)
    parts = []
    for start in range(0, frames, step):
        wanted = min(step, frames - start)
        block = sound.read(wanted, dtype="float32", always_2d=True)
        if len(block) < wanted:
            raise RowError(f"is cut off: holds {start + len(block)} samples of at least {frames}")
        parts.append(block.mean(axis=1))
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])


def _as_float(array: np.ndarray) -> np.ndarray:
    """Samples as float32, full scale at 1."""
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype.name in FULL_SCALE:
        return (array / FULL_SCALE[array.dtype.name]).astype(np.float32)
    raise RowError(f"samples of type {array.dtype}; give float, int16, int32 or uint8")
