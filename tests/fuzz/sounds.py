"""Sounds: real files of every format, broken; lies in headers; samples that cannot be."""

from __future__ import annotations

import functools
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import strategies as st

from fuzz.breaking import JUNK, broken_bytes
from fuzz.harness import Border, WrongAnswer
from multigraft_speech.reader import audio_reader

RATE = 8000
SPEC = {"kind": "audio", "sample_rate": RATE, "max_seconds": 2.0, "min_seconds": 0.05}
KINDS = (
    *(("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "DOUBLE")),
    *(
        ("WAV", "ULAW"),
        ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"),
        ("WAVEX", "PCM_16"),
        ("RF64", "PCM_16"),
    ),
    *(
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ),
    *(("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("W64", "PCM_16")),
)


def tone(seconds: float = 0.4, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A tone under noise, [T] or [T, channels]."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, len(time))
    mono = (0.4 * np.sin(2 * np.pi * 440 * time) + noise).astype(np.float32)
    return mono if channels == 1 else np.tile(mono[:, None], (1, channels))


def encoded(
    samples: np.ndarray, kind: str = "WAV", subtype: str = "PCM_16", rate: int = RATE
) -> bytes:
    """The bytes of a sound file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


@functools.cache
def sound_files() -> tuple[bytes, ...]:
    """A file of each format and coding, of several rates and numbers of channels."""
    files = [encoded(tone(), *kind) for kind in KINDS]
    files += [encoded(tone(channels=channels)) for channels in (2, 6, 64)]
    files += [encoded(tone(rate=rate), rate=rate) for rate in (11_025, 44_100, 192_000)]
    return tuple(files)


def _wav(
    rate: int = RATE,
    channels: int = 1,
    bits: int = 16,
    code: int = 1,
    size: int = 800,
    body: bytes = bytes(800),
) -> bytes:
    """A WAV file whose header says whatever it is told to."""
    frame = (channels * bits // 8) & 0xFFFF
    head = struct.pack(
        "<4sI4s4sIHHIIHH",
        b"RIFF",
        36 + 800,
        b"WAVE",
        b"fmt ",
        16,
        code,
        channels,
        rate,
        (rate * frame) & 0xFFFFFFFF,
        frame,
        bits,
    )
    return head + struct.pack("<4sI", b"data", size) + body


LIES = (
    *(_wav(size=size) for size in (0, 1, 2**31 - 1, 2**32 - 1, 10**6)),
    *(_wav(channels=channels) for channels in (0, 65, 255, 1024, 65_535)),
    *(_wav(rate=rate) for rate in (0, 1, 999, 768_001, 2**31, 2**32 - 1)),
    *(_wav(bits=bits) for bits in (0, 1, 7, 24, 32, 64, 65_535)),
    *(_wav(code=code) for code in (0, 3, 2, 17, 85, 65_534, 65_535)),
    _wav(code=3, bits=32, body=np.full(200, np.nan, "<f4").tobytes()),
    _wav(code=3, bits=32, body=np.full(200, np.inf, "<f4").tobytes()),
    _wav(code=3, bits=32, body=np.full(200, 3e38, "<f4").tobytes()),
    _wav(body=b""),
    *(
        b"",
        b"\0",
        b"RIFF",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"\xff\xfb\x90\x00" * 9,
        b"FORM\0\0\0\x04AIFF",
        b"caff\0\x01\0\0",
    ),
    b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + bytes(64),
)
SAMPLES = st.sampled_from(
    [
        *(
            np.zeros(0),
            np.full(900, np.nan),
            np.full(900, np.inf),
            np.full(900, 1e30),
            np.zeros((2, 900)),
        ),
        *(
            np.zeros((900, 65)),
            np.zeros((9, 9, 9)),
            np.array(["a"] * 900),
            np.zeros(900, complex),
            np.array(None),
        ),
        *(
            np.zeros(900, np.int64),
            np.zeros(900, bool),
            np.array(1.0),
            np.zeros(900, object),
            np.zeros(900, "V4"),
        ),
    ]
)
PAIRS = st.tuples(
    SAMPLES | st.just(tone()),
    st.sampled_from([0, -1, 8000, 1e3, "8000", None, 10**9, True, np.int64(7), 10**30]),
)
DICTS = st.dictionaries(
    st.sampled_from(["array", "sampling_rate", "bytes", "path", "x"]), JUNK, max_size=4
)
INPUTS = st.one_of(
    *[broken_bytes(st.deferred(lambda: st.sampled_from(sound_files())))] * 5,
    st.sampled_from(LIES),
    broken_bytes(st.sampled_from(LIES)),
    SAMPLES,
    PAIRS,
    DICTS,
    JUNK,
)


@functools.cache
def _right() -> dict[bytes, int]:
    reader = audio_reader(SPEC)
    return {content: len(reader.read(content)["input_values"]) for content in sound_files()}


def feed(folder: Path, raw: Any) -> None:
    """Samples are finite and of a sound length; a file that was only cut off gives no shorter
    sound."""
    if isinstance(raw, bytes) and len(raw) % 2:
        (folder / "sound.wav").write_bytes(raw)
        row = audio_reader(SPEC).read(folder / "sound.wav")
    else:
        row = audio_reader(SPEC).read(raw)
    values = row["input_values"]
    if (
        values.dtype != np.float32
        or not 400 <= len(values) <= 16_000
        or not np.isfinite(values).all()
    ):
        raise WrongAnswer(f"{values.dtype} {values.shape}, largest {np.abs(values).max()}")
    if isinstance(raw, bytes):
        for whole, right in _right().items():
            if whole.startswith(raw) and len(values) != right:
                raise WrongAnswer(
                    f"the first {len(raw)} of {len(whole)} bytes: {len(values)} of {right} samples"
                )


BORDER = Border("audio", INPUTS, feed, lambda: list(_right()), prepare=lambda folder: _right())
