"""Log-mel reader: a sound to Whisper's spectrogram, and its tokens to text. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from multigraft.contracts.reader import Excess, Stretches
from multigraft.contracts.readers import check_spec
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft_speech.long_sound import opened, seconds_beyond
from multigraft_speech.reader import AudioReader, AudioSpec
from multigraft_speech.whisper.log_mel import HOP, frame_count, log_powers, normalised
from multigraft_speech.whisper.stretches import log_mel_stretches, row_of
from multigraft_speech.whisper.tokens import Tokens

KIND = "log-mel"


class LogMelSpec(AudioSpec):
    """A saved spec; ``tokenizer.json`` stands beside."""

    kind: Literal["log-mel"] = KIND  # type: ignore[assignment]
    sample_rate: Literal[16_000] = 16_000
    mels: int = Field(ge=1, le=1024)
    frames: int = Field(ge=2, le=2**20)
    end: str


@dataclass(frozen=True)
class LogMelReader:
    """Reads one sound as ``input_features`` float32 [T, mels] and ``attention_mask`` int64 [T], a
    frame each 10 ms, at most ``frames``; and ``silence`` float32 [], what lies behind them.

    A row's loudest point decides what is silence. Where the sound's reader gives places, also
    ``start`` float64 [], in seconds.
    """

    sound: AudioReader
    mels: int
    frames: int
    """As many as the encoder reads."""
    tokenizer: Mapping[str, Any]
    end: str
    """The token that ends a text, the first of the special ones."""

    @property
    def fills(self) -> Mapping[str, float]:
        """Both arrays are padded with zeros."""
        return {"input_features": 0, "attention_mask": 0}

    def read(self, raw: Any) -> Arrays:
        """Read what `AudioReader` reads. Raises RowError as it does."""
        return self._row(self.sound.read(raw))

    def windows(self, raw: Any) -> list[Arrays]:
        """All of a sound as rows that overlap, as `AudioReader.windows` cuts it."""
        return [self._row(row) for row in self.sound.windows(raw)]

    def excess(self, raw: Any, row: Arrays) -> Excess | None:
        """How many seconds a sound has beside those that a row holds."""
        most = round(self.sound.max_seconds * self.sound.sample_rate)
        full = len(row["input_features"]) >= min(frame_count(most), self.frames)
        return seconds_beyond(raw, self.sound) if full else None

    def units(self, raw: Any, row: Arrays) -> Units:
        """Time-frequency cells of the spectrogram (see `spectrogram_units`)."""
        from multigraft_speech.cells import spectrogram_units

        del raw
        return spectrogram_units(row)

    def stretches(self, raw: Any) -> AbstractContextManager[Stretches]:
        """Open a sound of any length, to read rows of as many frames as the encoder reads."""
        least = round(self.sound.min_seconds * self.sound.sample_rate)
        return log_mel_stretches(
            lambda: opened(raw, self.sound), self.mels, self.frames, least=least
        )

    def memory(self, raw: Any) -> int:
        """The most bytes that `read` takes at a time: the sound's, and 1 kB of spectra a frame."""
        numbers = WORKING * self.frames
        return self.sound.memory(raw) + numbers

    def windows_memory(self, raw: Any) -> int:
        """The same of `windows`, and 1 kB of each of their frames."""
        return self.sound.windows_memory(raw) + WORKING * self.frames

    def length(self, row: Arrays) -> int:
        """Samples, as many as the frames are long."""
        return HOP * len(row["input_features"])

    def spec(self) -> Spec:
        """The settings, as `log_mel_reader` takes them."""
        own = {"mels": self.mels, "frames": self.frames, "end": self.end}
        return {**self.sound.spec(), "kind": KIND, **own, "tokenizer.json": dict(self.tokenizer)}

    def prompt(self, raw: Any) -> np.ndarray:
        """No tokens: a text about a sound begins as the model's do."""
        return np.zeros(0, dtype=np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones and times left out."""
        return self.tokens.text(tokens)

    def written(self, text: str) -> Sequence[int]:
        """The tokens of a transcript, and the end. Raises RowError."""
        return self.tokens.read(text)

    @cached_property
    def tokens(self) -> Tokens:
        """The tokenizer."""
        return Tokens(dict(self.tokenizer), self.end)

    def _row(self, heard: Arrays) -> Arrays:
        samples = heard["input_values"]
        count = min(frame_count(len(samples)), self.frames)
        powers = log_powers(samples, count, self.mels)
        features, silence = normalised(powers, float(powers.max()))
        start = float(heard["start"]) if "start" in heard else None
        return row_of(features, float(silence), start=start)


WORKING = 2 * 8 * 400 + 8 * (201 * 3 + 2 * 80)
"""Bytes a frame while spectra are computed: windows, spectra, powers."""


def log_mel_reader(spec: Spec) -> LogMelReader:
    """Build the reader that `LogMelReader.spec` describes."""
    settings = {name: value for name, value in spec.items() if name != "tokenizer.json"}
    said = check_spec(settings, LogMelSpec).model_dump(exclude={"kind"})
    own = {name: said.pop(name) for name in ("mels", "frames", "end")}
    reader = LogMelReader(AudioReader(**said), tokenizer=spec.get("tokenizer.json") or {}, **own)
    _ = reader.tokens  # what is wrong with it is said here
    return reader
