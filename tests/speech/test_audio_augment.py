from __future__ import annotations

import numpy as np
import pytest

from helpers.speech_toys import sounds
from multigraft_speech.augment import _noise, _shift, _speed, augmentation
from multigraft_speech.reader import AudioReader

READER = AudioReader()


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_changes_a_sound_by_its_generator_alone(strength: str) -> None:
    row = READER.read(sounds()[0])
    before = row["input_values"].copy()
    change = augmentation(strength, READER, {})  # type: ignore[arg-type]
    one, same, other = (change(row, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(row["input_values"], before)
    np.testing.assert_array_equal(one["input_values"], same["input_values"])
    assert len(one["input_values"]) != len(other["input_values"]) or not np.allclose(
        one["input_values"], other["input_values"]
    )
    for found in (one, other):
        assert found["input_values"].dtype == np.float32
        assert found["attention_mask"].tolist() == [1] * len(found["input_values"])
        assert np.isfinite(found["input_values"]).all()


def test_silence_stays_silent() -> None:
    row = READER.read(np.zeros(4000, np.float32))
    assert not augmentation("strong", READER, {})(row, np.random.default_rng(0))[
        "input_values"
    ].any()


def test_silence_is_laid_before_or_behind_and_nothing_is_cut_off() -> None:
    sound = np.arange(1, 5, dtype=np.float32)
    assert _shift(sound, 1).tolist() == [0, 1, 2, 3, 4]
    assert _shift(sound, -1).tolist() == [1, 2, 3, 4, 0]
    assert _shift(sound, 0).tolist() == [1, 2, 3, 4]


def test_twice_as_fast_is_half_as_long() -> None:
    ramp = np.arange(100, dtype=np.float32)
    np.testing.assert_allclose(_speed(ramp, 2.0), ramp[::2])
    assert _speed(ramp, 1.0) is ramp


def test_noise_has_the_asked_ratio() -> None:
    sound = sounds()[0]
    noise = _noise(sound, 10, np.random.default_rng(0)) - sound
    ratio = 10 * np.log10(np.square(sound).mean() / np.square(noise).mean())
    assert ratio == pytest.approx(10, abs=0.2)
