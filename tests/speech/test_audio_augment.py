from __future__ import annotations

import numpy as np
import pytest

from helpers.speech_toys import sounds
from multigraft_speech.augment import _noise, _shift, _speed, augmentation
from multigraft_speech.reader import AudioReader
from multigraft_speech.room import impulse_response, in_room, powers_in_room

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


@pytest.mark.parametrize(("fading", "ratio"), [(0.3, 5.0), (0.05, 15.0)])
def test_an_echo_fades_as_long_and_is_as_loud_as_asked(fading: float, ratio: float) -> None:
    response = impulse_response(16_000, fading, ratio, np.random.default_rng(0))
    tail = response[1:]
    assert response[0] == 1 and len(tail) == round(16_000 * fading)
    assert -10 * np.log10(np.square(tail).sum()) == pytest.approx(ratio)
    # Schroeder's backward integral: three times what the energy takes from -5 to -25 dB
    left = 10 * np.log10(np.cumsum(np.square(tail[::-1]))[::-1] / np.square(tail).sum())
    twenty = np.argmax(left < -25) - np.argmax(left < -5)
    assert 3 * twenty / 16_000 == pytest.approx(fading, rel=0.15)


def test_a_sound_in_a_room_is_its_convolution_and_nothing_is_said_later() -> None:
    rng = np.random.default_rng(0)
    response = impulse_response(16_000, 0.1, 3.0, rng)
    sound = rng.standard_normal(5000)
    found = in_room(sound, response)
    np.testing.assert_allclose(found, np.convolve(sound, response)[:5000], atol=1e-9)
    click = np.zeros(3000)
    click[1000] = 1
    assert not in_room(click, response)[:999].round(9).any()
    assert in_room(sound, response[:1]) is sound


def test_powers_in_a_room_are_those_of_the_sound_in_it() -> None:
    """On average over many rooms: frames of white noise that stops."""
    rng, rate, frame = np.random.default_rng(0), 16_000, 160
    sound = np.where(np.arange(8000) < 3200, rng.standard_normal(8000), 0)
    powers = np.square(sound).reshape(-1, frame).mean(1)[:, None]
    heard = [
        np.square(in_room(sound, impulse_response(rate, 0.2, 3.0, rng))).reshape(-1, frame).mean(1)
        for _ in range(200)
    ]
    wanted = np.mean(heard, 0)[22:36]  # behind its end
    found = powers_in_room(powers, rate / frame, 0.2, 3.0)[22:36, 0]
    np.testing.assert_allclose(10 * np.log10(found), 10 * np.log10(wanted), atol=1.5)


def test_rooms_are_asked_for_by_name() -> None:
    row = READER.read(sounds()[0])
    changed = [
        augmentation("light", READER, {"room": room})(row, np.random.default_rng(0))["input_values"]
        for room in (None, 0.0, 0.5)
    ]
    np.testing.assert_array_equal(changed[0], changed[1])
    assert len(changed[2]) == len(changed[1]) and not np.allclose(changed[1], changed[2])
