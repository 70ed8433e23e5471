from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from multigraft.errors import RowError
from multigraft_speech import AUDIO
from multigraft_speech.reader import AudioReader, audio_reader

READER = AudioReader()


def tone(seconds: float = 0.5, *, rate: int = 16_000, hertz: float = 440) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def written(
    folder: Path, sound: np.ndarray, name: str, *, rate: int = 16_000, subtype: str
) -> Path:
    path = folder / name
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 1e-2),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "FLOAT", 0),
        ("a.wav", "DOUBLE", 0),
        ("a.flac", "PCM_16", 1e-4),
        ("a.aiff", "PCM_16", 1e-4),
        ("a.ogg", "VORBIS", 5e-2),
        ("a.mp3", "MPEG_LAYER_III", 5e-2),
    ],
)
def test_reads_the_usual_formats(tmp_path: Path, name: str, subtype: str, tolerance: float) -> None:
    sound = tone(1.0)
    path = written(tmp_path, sound, name, subtype=subtype)
    row = READER.read(str(path))
    assert row["input_values"].dtype == np.float32
    assert row["attention_mask"].tolist() == [1] * len(row["input_values"])
    middle = slice(4000, 12_000)
    np.testing.assert_allclose(row["input_values"][middle], sound[middle], atol=tolerance)
    for other in (
        path,
        path.read_bytes(),
        {"bytes": path.read_bytes(), "path": None},
        {"path": str(path)},
    ):
        np.testing.assert_array_equal(READER.read(other)["input_values"], row["input_values"])


def test_averages_channels(tmp_path: Path) -> None:
    left, right = tone(hertz=440), tone(hertz=700)
    path = written(tmp_path, np.stack([left, right], 1), "a.wav", subtype="FLOAT")
    for raw in (path, np.stack([left, right], 1)):
        np.testing.assert_allclose(READER.read(raw)["input_values"], (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_resamples_to_its_rate(tmp_path: Path, rate: int) -> None:
    path = written(tmp_path, tone(1.0, rate=rate), "a.wav", rate=rate, subtype="FLOAT")
    for raw in (
        path,
        (tone(1.0, rate=rate), rate),
        {"array": tone(1.0, rate=rate), "sampling_rate": rate},
    ):
        values = READER.read(raw)["input_values"]
        assert len(values) == 16_000
        np.testing.assert_allclose(values[1000:-1000], tone(1.0)[1000:-1000], atol=1e-3)


@pytest.mark.parametrize(
    ("dtype", "scale", "offset"), [("int16", 2**15, 0), ("int32", 2**31, 0), ("uint8", 2**7, 2**7)]
)
def test_integers_have_full_scale_at_one(dtype: str, scale: float, offset: float) -> None:
    integers = (tone() * scale + offset).astype(dtype)
    np.testing.assert_allclose(
        READER.read(integers)["input_values"], tone(), atol=1.5 / min(scale, 2**20)
    )


def test_cuts_what_is_longer(tmp_path: Path) -> None:
    reader = AudioReader(max_seconds=0.25)
    sound = tone(2.0, rate=32_000)
    path = written(tmp_path, sound, "a.wav", rate=32_000, subtype="FLOAT")
    assert len(reader.read(path)["input_values"]) == 4000
    assert len(reader.read((sound, 32_000))["input_values"]) == 4000
    np.testing.assert_array_equal(reader.read(tone(3.0))["input_values"], tone(3.0)[:4000])


def test_decodes_no_more_than_it_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, tone(5.0), "a.wav", subtype="PCM_16")
    asked: list[int] = []
    read = soundfile.SoundFile.read

    def spy(self: Any, frames: int = -1, **options: Any) -> np.ndarray:
        asked.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    AudioReader(max_seconds=0.5).read(path)
    assert asked == [8000]


def header(path: Path, *, offset: int, value: int, size: int) -> bytes:
    """A WAV file with one number of its header changed."""
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = value.to_bytes(size, "little")
    return bytes(data)


def test_refuses_impossible_headers(tmp_path: Path) -> None:
    path = written(tmp_path, tone(), "a.wav", subtype="PCM_16")
    with pytest.raises(RowError, match="a rate of 2000000000 Hz"):
        READER.read(header(path, offset=24, value=2_000_000_000, size=4))
    with pytest.raises(RowError, match="channels"):
        READER.read(header(path, offset=22, value=1000, size=2))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (np.zeros(0, np.float32), "holds no sound"),
        (np.full(8000, np.nan, np.float32), "not finite"),
        (np.array([np.inf] * 8000, np.float32), "not finite"),
        (np.full(8000, 1e30, np.float32), "not finite"),
        (tone(0.01), "0.010 s is too short"),
        (b"", "cannot be decoded"),
        (
            b"this is no sound at all, though it is long enough for a header" * 9,
            "cannot be decoded",
        ),
        (12, "a int is no sound"),
        ({}, "give 'bytes', 'path' or 'array'"),
        ({"path": None, "bytes": None}, "give 'bytes', 'path' or 'array'"),
        (np.zeros((2, 8000), np.float32), r"\(2, 8000\)"),
        (np.zeros(8000, np.int64), "int64"),
        (np.zeros(8000, bool), "bool"),
        ((tone(), "16000"), "rate of type str"),
        ((tone(), 5), "a rate of 5 Hz"),
    ],
)
def test_says_what_is_wrong(raw: Any, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        READER.read(raw)


def test_a_reason_names_no_path(tmp_path: Path) -> None:
    bad = tmp_path / "bad.flac"
    bad.write_bytes(b"fLaC" + b"\0" * 100)
    headerless = tmp_path / "a.raw"
    headerless.write_bytes(b"\0" * 4000)
    empty = written(tmp_path, np.zeros(0, np.float32), "empty.wav", subtype="PCM_16")
    for raw in (bad, headerless, empty, tmp_path / "missing.wav", tmp_path):
        with pytest.raises(RowError) as caught:
            READER.read(raw)
        assert str(tmp_path) not in str(caught.value)
        assert "0x" not in str(caught.value)


def test_reads_any_prefix_of_a_file_or_says_why_not(tmp_path: Path) -> None:
    for name, subtype in (("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS")):
        whole = written(tmp_path, tone(), name, subtype=subtype).read_bytes()
        for end in range(0, len(whole), max(1, len(whole) // 40)):
            try:
                row = READER.read(whole[:end])
            except RowError:
                continue
            assert np.isfinite(row["input_values"]).all()


def test_silence_is_a_sound() -> None:
    assert not READER.read(np.zeros(8000, np.float32))["input_values"].any()


def test_its_spec_survives_json() -> None:
    reader = AudioReader(sample_rate=8000, max_seconds=4.0, min_seconds=0.1)
    assert reader.spec()["kind"] == "audio"
    assert audio_reader(json.loads(json.dumps(reader.spec()))) == reader
    assert reader.length(reader.read(np.ones(1234, np.float32))) == 1234


def test_lengths_are_counted_in_seconds() -> None:
    reader = AudioReader(sample_rate=8000)
    assert AUDIO.unit is not None
    name, factor = AUDIO.unit(reader.spec())
    assert name == "seconds"
    assert reader.length(reader.read(tone(0.5, rate=8000))) / factor == 0.5


def test_threads_read_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, tone(1.0, rate=22_050), "a.flac", rate=22_050, subtype="PCM_16")
    once = READER.read(path)["input_values"]
    with ThreadPoolExecutor(8) as pool:
        for row in pool.map(READER.read, [path] * 32):
            np.testing.assert_array_equal(row["input_values"], once)
