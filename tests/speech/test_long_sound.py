"""A long sound read block by block: every sample in its place, and few of them held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from multigraft import RowError
from multigraft_speech.long_sound import LongSound, opened
from multigraft_speech.reader import AudioReader

READER = AudioReader()
SIZES = st.lists(st.integers(0, 30), max_size=12)
STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=8)


@given(SIZES, STEPS)
def test_samples_are_those_of_the_whole(sizes: list[int], steps: list[tuple[int, int]]) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32)
    sound = LongSound(iter(np.split(whole, np.cumsum(sizes)[:-1])) if sizes else iter(()))
    start = 0
    for step, count in steps:
        start += step
        np.testing.assert_array_equal(
            sound.samples(start, start + count), whole[start : start + count]
        )


def test_an_hour_is_never_held() -> None:
    def blocks() -> Iterator[np.ndarray]:
        for _ in range(360):
            yield np.zeros(160_000, np.float32)

    sound, most = LongSound(blocks()), 0
    for start in range(0, 3600 * 16_000, 24 * 16_000):
        sound.samples(start, start + 30 * 16_000)
        most = max(most, len(sound._held))
    assert most <= 40 * 16_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_file_is_resampled_as_whole(rate: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stereo = (0.1 * rng.normal(size=(rate * 23, 2))).astype(np.float32)
    soundfile.write(tmp_path / "sound.wav", stereo, rate, "FLOAT")
    wanted = stereo.mean(axis=1)
    if rate != 16_000:
        wanted = soxr.resample(wanted, rate, 16_000)
    for raw in (str(tmp_path / "sound.wav"), (tmp_path / "sound.wav").read_bytes()):
        with opened(raw, READER) as sound:
            found = sound.samples(0, 10**9)
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    broken: list[Any] = [
        str(tmp_path / "text.wav"),
        str(tmp_path / "empty.wav"),
        str(tmp_path / "missing.wav"),
        b"no sound",
        np.full(9, np.nan, np.float32),
        {"path": None},
        3,
    ]
    for raw in broken:
        with pytest.raises(RowError), opened(raw, READER) as sound:
            sound.samples(0, 1)
