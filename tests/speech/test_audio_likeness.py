from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import multigraft_speech
from multigraft_speech.likeness import sketch

NEAR = next(iter(multigraft_speech.register_modalities())).likeness.near  # type: ignore[union-attr]
RATE = 16_000
Sound = tuple[np.ndarray, int]
rng = np.random.default_rng(7)


def utterance(seed: int) -> np.ndarray:
    """Something like speech: syllables of a gliding voice through two formants, and pauses."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(int(chance.integers(3, 7))):
        time = np.arange(int(RATE * chance.uniform(0.08, 0.25))) / RATE
        pitch = chance.uniform(90, 250) * (1 + chance.uniform(-0.3, 0.3) * time / time[-1])
        voice = np.zeros(len(time))
        formants = chance.uniform((250, 900), (900, 3000))
        for harmonic in range(1, 25):
            strength = sum(np.exp(-(((harmonic * pitch.mean() - f) / 200) ** 2)) for f in formants)
            voice += (strength + 0.02) * np.sin(harmonic * 2 * np.pi * np.cumsum(pitch) / RATE)
        parts += [voice * np.hanning(len(time)), np.zeros(int(RATE * chance.uniform(0.02, 0.1)))]
    wave = np.concatenate(parts)
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def noisy(wave: np.ndarray, decibels: float) -> np.ndarray:
    level = np.sqrt(np.mean(wave**2)) * 10 ** (-decibels / 20)
    return (wave + rng.normal(0, level, len(wave))).astype(np.float32)


def encoded(wave: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format=form)
    return file.getvalue()


CHANGES: dict[str, Callable[[np.ndarray], Sound | bytes]] = {
    "a tenth as loud": lambda wave: (wave * 0.1, RATE),
    "louder": lambda wave: (wave * 1.9, RATE),
    "8 kHz": lambda wave: (soxr.resample(wave, RATE, 8000), 8000),
    "44.1 kHz": lambda wave: (soxr.resample(wave, RATE, 44_100), 44_100),
    "noise at 30 dB": lambda wave: (noisy(wave, 30), RATE),
    "noise at 20 dB": lambda wave: (noisy(wave, 20), RATE),
    "16-bit wav": lambda wave: encoded(wave, "WAV"),
    "ogg vorbis": lambda wave: encoded(wave, "OGG"),
    "two channels": lambda wave: (np.stack([wave, wave], axis=1), RATE),
    "turned over": lambda wave: (-wave, RATE),
}


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    return [(utterance(seed), RATE) for seed in range(40)]


@pytest.mark.parametrize("name", CHANGES)
def test_a_sound_that_was_worked_on_is_near_itself(sounds: list[Sound], name: str) -> None:
    before, _ = sketch(sounds)
    after, _ = sketch([CHANGES[name](wave) for wave, _ in sounds])
    assert ((before == after).mean(1) >= NEAR).mean() >= 0.95


def test_different_sounds_are_not_near(sounds: list[Sound]) -> None:
    values, flaws = sketch(sounds)
    alike = (values[:, None] == values[None]).mean(-1)[np.triu_indices(len(sounds), 1)]
    assert alike.max() < NEAR
    assert not flaws.any()


def bird(seed: int) -> Sound:
    """Whistles that glide between 4 and 9 kHz, with nothing below, as a clean recording has
    them."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(int(chance.integers(4, 12))):
        length = int(BIRD_RATE * chance.uniform(0.03, 0.2))
        glide = np.linspace(*chance.uniform(4000, 9000, 2), length)
        parts += [np.sin(2 * np.pi * np.cumsum(glide) / BIRD_RATE) * np.hanning(length)]
        parts += [np.zeros(int(BIRD_RATE * chance.uniform(0.02, 0.1)))]
    return (0.3 * np.concatenate(parts)).astype(np.float32), BIRD_RATE


BIRD_RATE = 44_100
BIRD_CHANGES: dict[str, Callable[[np.ndarray], Sound]] = {
    "a tenth as loud": lambda wave: (wave * 0.1, BIRD_RATE),
    "32 kHz": lambda wave: (soxr.resample(wave, BIRD_RATE, 32_000), 32_000),
    "48 kHz": lambda wave: (soxr.resample(wave, BIRD_RATE, 48_000), 48_000),
    "noise at 30 dB": lambda wave: (noisy(wave, 30), BIRD_RATE),
}


def test_birds_are_heard_and_not_near_each_other() -> None:
    values, flaws = sketch([bird(seed) for seed in range(36)])
    assert not flaws.any()
    assert values.any(1).all()
    alike = (values[:, None] == values[None]).mean(-1)[np.triu_indices(36, 1)]
    assert alike.max() < NEAR


@pytest.mark.parametrize("name", BIRD_CHANGES)
def test_a_bird_that_was_worked_on_is_near_itself(name: str) -> None:
    birds = [bird(seed) for seed in range(20)]
    before, _ = sketch(birds)
    after, _ = sketch([BIRD_CHANGES[name](wave) for wave, _ in birds])
    assert ((before == after).mean(1) >= NEAR).mean() >= 0.95


@pytest.mark.parametrize("frequency", [30.0, 100.0, 3600.0, 5000.0, 15_000.0, 20_000.0])
def test_what_a_person_might_hear_is_not_silent(frequency: float) -> None:
    """Below the bands of voices, between them and 4 kHz, and above; silence is a matter of level
    alone."""
    time = np.arange(BIRD_RATE) / BIRD_RATE
    tone = np.sin(2 * np.pi * frequency * time).astype(np.float32)
    assert sketch([(0.1 * tone, BIRD_RATE), (tone, BIRD_RATE), (1e-5 * tone, BIRD_RATE)])[
        1
    ].tolist() == [
        0,
        2,
        1,
    ]


def test_silence_and_clipping_are_flaws() -> None:
    wave = utterance(1)
    silent = np.zeros(4000, np.float32)
    hum = np.full(4000, 0.3, np.float32)
    loud = np.clip(wave * 20, -1, 1)
    values, flaws = sketch(
        [(each, RATE) for each in (wave, silent, hum, loud, wave / np.abs(wave).max())]
    )
    assert flaws.tolist() == [0, 1, 1, 2, 0]
    assert [bool(row.any()) for row in values] == [True, False, False, True, True]


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", "no such file.wav", 3, (np.zeros(0, np.float32), RATE)]
)
def test_what_the_reader_refuses_is_like_nothing(raw: object) -> None:
    values, flaws = sketch([raw])
    assert not values.any()
    assert flaws.tolist() == [0]


@pytest.mark.parametrize("samples", [1, 2, 100, 600])
def test_a_very_short_sound_has_a_sketch(samples: int) -> None:
    values, _ = sketch([(rng.normal(0, 0.1, samples).astype(np.float32), RATE)])
    assert values.shape == (1, 127)


def test_a_file_and_its_samples_have_one_sketch(tmp_path: Path) -> None:
    wave = utterance(2)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    values, _ = sketch([str(tmp_path / "a.wav"), (wave, RATE), (tmp_path / "a.wav").read_bytes()])
    assert (values == values[0]).all()
    assert sketch([])[0].shape == (0, 127)
