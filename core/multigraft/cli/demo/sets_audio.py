"""Spoken digits: English, in many synthetic voices; whole voices are held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multigraft.cli.demo.sets import DemoSet, write_csv
from multigraft.cli.demo.speak import RATE, Utterance, speak

SEED = 3
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbcwmd", "en-029")
VOICES = tuple(
    "Alex Alicia Andrea Andy Annie Denis Diogo Gene Henrique Hugo Jacky Lee Marco Mario Michael "
    "Mike Nguyen Reed Storm adam anika announcer antonio aunty belinda benjamin boris caleb croak "
    "david ed edward f1 f2 f3 f4 f5 grandma grandpa gustave ian iven john kaukovalta klatt klatt2 "
    "klatt4 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel norbert pablo paul "
    "pedro quincy rob robert "
    "robosoft sandro shelby steph travis victor whisper whisperf zac".split()
)
"""eSpeak NG's variants, without those that differ in an echo or a number only."""
VOICES_PER_SPLIT = {"test": 20, "validation": 5, "train": 2}
"""Voices in each labelled split; all others are unlabelled."""
TAKES = {"test": 2, "validation": 2, "train": 1, "unlabelled": 5}
"""How often a voice says each digit, each time in another accent, pitch, pace and noise."""


@dataclass(frozen=True)
class Take:
    """One clip: who says which digit, in which split."""

    split: str
    voice: str
    digit: int
    utterance: Utterance
    noise: float
    """Signal to noise, in decibels."""


def build(folder: Path) -> DemoSet:
    """Write the clips as 16-bit wav files and one CSV file a split."""
    import soundfile

    takes = list(_takes(np.random.default_rng(SEED)))
    sounds = speak([take.utterance for take in takes], folder)
    rng = np.random.default_rng(SEED + 1)
    rows: dict[str, list[tuple[str, ...]]] = {split: [] for split in TAKES}
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for number, (take, sound) in enumerate(zip(takes, sounds, strict=True)):
        name = f"clips/{number:05d}.wav"
        soundfile.write(folder / name, _record(sound, take.noise, rng), RATE, subtype="PCM_16")
        label = () if take.split == "unlabelled" else (DIGITS[take.digit],)
        rows[take.split].append((name, take.voice, *label))
    for split, listed in rows.items():
        header = ("audio", "speaker") if split == "unlabelled" else ("audio", "speaker", "label")
        write_csv(folder / f"{split}.csv", header, listed)
    return DemoSet(
        modality="audio",
        unlabelled=folder / "unlabelled.csv",
        train=folder / "train.csv",
        validation=folder / "validation.csv",
        test=folder / "test.csv",
        rows={split: len(listed) for split, listed in rows.items()},
        facts={
            "what": "which of the ten digits a voice says in English",
            "from": f"eSpeak NG, the synthesiser in espeakng-loader: {len(VOICES)} voices, "
            f"{len(ACCENTS)} accents, pitch, pace and noise at random; no human voice",
            "cut": "by voice: nobody is in two splits",
            "licence": "eSpeak NG is GPL-3; what it speaks is made here and not handed on",
        },
    )


def _takes(rng: np.random.Generator) -> Iterator[Take]:
    voices = [VOICES[index] for index in rng.permutation(len(VOICES))]
    for split, count in {**VOICES_PER_SPLIT, "unlabelled": len(voices)}.items():
        own, voices = voices[:count], voices[count:]
        for voice in own:
            for digit in range(10):
                for _ in range(TAKES[split]):
                    utterance = Utterance(
                        text=DIGITS[digit],
                        voice=f"{rng.choice(ACCENTS)}+{voice}",
                        words_per_minute=int(rng.integers(120, 230)),
                        pitch=int(rng.integers(25, 75)),
                    )
                    yield Take(split, voice, digit, utterance, float(rng.uniform(-3, 12)))


def _record(sound: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Record a clip as by a microphone: some silence around, white noise, a level of its own."""
    silence = rng.integers(0, RATE // 10, 2)
    wave = np.pad(_trimmed(sound).astype(np.float64) / 32768, tuple(silence))
    level = float(np.sqrt(np.mean(np.square(wave))))
    wave = wave + rng.standard_normal(len(wave)) * level * 10 ** (-decibels / 20)
    return wave * (10 ** (rng.uniform(-12, 0) / 20) / np.abs(wave).max())


def _trimmed(sound: np.ndarray) -> np.ndarray:
    """Without the silence before and after the word."""
    heard = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[heard[0] : heard[-1] + 1]
