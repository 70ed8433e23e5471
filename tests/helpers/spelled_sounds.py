"""Small, learnable speech: each letter, and the space, is a tone of its own, silence between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
TONES = {"a": 400, "b": 900, "c": 1600, "d": 2600}
TONE, SILENCE = 0.08, 0.06
"""Seconds of a tone, and of what lies behind it."""
BETWEEN = 4200
"""The tone between words."""
Word = tuple[str, float, float]
"""A word and its true start and end, in seconds."""


def spelled(text: str, rng: np.random.Generator) -> tuple[np.ndarray, list[Word]]:
    """The sound of a text, and when its words are said."""
    signs = text.strip(".").lower()
    pitches = [TONES.get(sign, BETWEEN) * rng.uniform(0.97, 1.03) for sign in signs]
    time = np.arange(round(TONE * RATE)) / RATE
    silence = np.zeros(round(SILENCE * RATE))
    tones = [np.concatenate([0.3 * np.sin(2 * np.pi * pitch * time), silence]) for pitch in pitches]
    sound = np.concatenate([silence, *tones])
    return (sound + rng.normal(0, 0.01, len(sound))).astype(np.float32), _times(signs)


def _times(text: str) -> list[Word]:
    words, at, step = [], 0, TONE + SILENCE
    for word in text.split(" "):
        start = SILENCE + at * step
        words.append((word, start, start + len(word) * step - SILENCE))
        at += len(word) + 1
    return words


def texts(rng: np.random.Generator, count: int, most: int = 3) -> list[str]:
    """Made-up texts of up to so many words."""

    def word() -> str:
        return "".join(rng.choice(list(TONES), int(rng.integers(1, 4))))

    return [" ".join(word() for _ in range(int(rng.integers(1, most + 1)))) for _ in range(count)]


def write_spelled(folder: Path, name: str, said: Sequence[str], seed: int = 0) -> Path:
    """JSON lines of ``audio`` and ``text``."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, text in enumerate(said):
        file = folder / f"{name}-{number:03d}.wav"
        soundfile.write(file, spelled(text, rng)[0], RATE)
        lines.append(json.dumps({"audio": file.name, "text": text}))
    table = folder / f"{name}.jsonl"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def write_said(folder: Path, rows: int) -> Path:
    """So many sounds of made-up texts."""
    return write_spelled(folder, "said", texts(np.random.default_rng(0), rows))
