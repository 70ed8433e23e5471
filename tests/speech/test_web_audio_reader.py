"""The reader of sounds for browsers: WAV files bit by bit, other rates as near to soxr as is
stated."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from helpers.javascript import open_web_reader, wav
from multigraft_speech import AUDIO
from multigraft_speech.reader import AudioReader

RATE = 16_000
NEAR = 2e-4
"""The largest difference to soxr, of full scale, for what lies below 0.85 of the lower rate's
band."""


def wave(samples: np.ndarray, rate: int, subtype: str, **more: Any) -> bytes:
    held = BytesIO()
    soundfile.write(held, samples, rate, format="WAV", subtype=subtype, **more)
    return held.getvalue()


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    found = np.random.default_rng(1).uniform(-0.9, 0.9, (round(seconds * rate), channels))
    return found[:, 0] if channels == 1 else found


def tones(seconds: float, rate: int, top: float) -> np.ndarray:
    """A chord of tones up to ``top`` Hz that swells and fades: a sudden start would hold every
    frequency."""
    time = np.arange(round(seconds * rate)) / rate
    heard = [np.sin(2 * np.pi * hertz * time + hertz) for hertz in np.linspace(50, top, 12)]
    return 0.07 * np.sum(heard, axis=0) * np.hanning(len(time))


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_file_at_the_models_rate_is_read_exactly(
    subtype: str, channels: int, tmp_path: Path
) -> None:
    reader = AudioReader(max_seconds=0.2)
    content = wave(noise(0.3, RATE, channels), RATE, subtype)
    (found,) = open_web_reader(AUDIO.web, reader.spec(), tmp_path).read([wav(content)])
    wanted = reader.read(content)
    assert isinstance(found, dict), found
    assert len(found["input_values"]) == 3200
    np.testing.assert_array_equal(found["input_values"], wanted["input_values"])
    np.testing.assert_array_equal(found["attention_mask"], wanted["attention_mask"])


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 24_000, 44_100, 48_000, 96_000, 15_999])
def test_another_rate_is_as_near_to_soxr_as_is_stated(rate: int, tmp_path: Path) -> None:
    content = wave(tones(0.5, rate, 0.85 * min(rate, RATE) / 2), rate, "FLOAT")
    reader = AudioReader()
    (found,) = open_web_reader(AUDIO.web, reader.spec(), tmp_path).read([wav(content)])
    wanted = reader.read(content)["input_values"]
    assert isinstance(found, dict), found
    assert len(found["input_values"]) == len(wanted)
    assert np.abs(found["input_values"] - wanted).max() < NEAR


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_noise_differs_only_where_filters_end(rate: int, tmp_path: Path) -> None:
    content = wave(noise(0.5, rate), rate, "FLOAT")
    (found,) = open_web_reader(AUDIO.web, AudioReader().spec(), tmp_path).read([wav(content)])
    wanted = AudioReader().read(content)["input_values"]
    assert isinstance(found, dict), found
    error = np.sqrt(np.mean((found["input_values"] - wanted) ** 2) / np.mean(wanted**2))
    assert 20 * np.log10(error) < -50


def test_what_python_refuses_is_refused(tmp_path: Path) -> None:
    whole = wave(noise(0.3, RATE), RATE, "PCM_16")
    loud = wave(np.full(2000, np.nan), RATE, "FLOAT")
    web = open_web_reader(AUDIO.web, AudioReader().spec(), tmp_path)
    said = web.read(
        [wav(each) for each in (whole[:-4000], loud, wave(noise(0.01, RATE), RATE, "PCM_16"), b"")]
    )
    for found, part in zip(said, ("cut off", "not finite", "too short", "empty"), strict=True):
        assert part in str(found)


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.93])
def test_a_long_sound_is_read_in_the_windows_of_python(seconds: float, tmp_path: Path) -> None:
    reader = AudioReader(max_seconds=0.2, places=True)
    content = wave(noise(seconds, RATE), RATE, "PCM_16")
    (found,) = open_web_reader(AUDIO.web, reader.spec(), tmp_path).windows([wav(content)])
    wanted = reader.windows(content)
    assert len(found) == len(wanted) == (6 if seconds > 0.9 else 1)
    for one, other in zip(found, wanted, strict=True):
        assert isinstance(one, dict), one
        assert one.keys() == other.keys()
        for name, array in other.items():
            np.testing.assert_array_equal(one[name], array)
