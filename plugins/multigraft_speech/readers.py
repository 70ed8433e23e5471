"""The readers of sound, by the kind in their specs."""

from __future__ import annotations

from multigraft.contracts.readers import kind_of
from multigraft.contracts.types import Spec
from multigraft_speech.reader import AudioReader, audio_reader
from multigraft_speech.whisper.reader import KIND, LogMelReader, log_mel_reader


def reader_of(spec: Spec) -> AudioReader | LogMelReader:
    """Build the reader that a spec describes: of samples, or of Whisper's spectrogram."""
    return log_mel_reader(spec) if kind_of(spec) == KIND else audio_reader(spec)
