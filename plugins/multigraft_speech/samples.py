"""Sample sounds, made up, with which tests try what reads audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16000


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    """WAV files of a tone under noise, 0.2 to 0.5 seconds long."""
    return [_tone(rng, folder / f"{number:03d}.wav", number) for number in range(count)]


def bad(folder: Path) -> list[Any]:
    """Files that are missing, empty or no sound, and values that are no file."""
    empty, text, short = folder / "empty.wav", folder / "text.wav", folder / "short.wav"
    empty.write_bytes(b"")
    text.write_text("no sound", encoding="utf-8")
    soundfile.write(short, np.zeros(3, np.float32), RATE)
    return [str(folder / "missing.wav"), str(empty), str(text), str(short), 3]


def _tone(rng: np.random.Generator, path: Path, number: int) -> str:
    time = np.arange(int(RATE * rng.uniform(0.2, 0.5))) / RATE
    tone = np.sin(2 * np.pi * (300 if number % 2 else 1500) * rng.uniform(0.9, 1.1) * time)
    noisy = 0.3 * tone + rng.normal(0, 0.05, len(time))
    soundfile.write(path, noisy.astype(np.float32), RATE)
    return str(path)
