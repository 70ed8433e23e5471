"""Long sounds by CTC: what is told as it comes is what is told of all windows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.contracts.types import Arrays
from multigraft.runtime.answers.transcription import Transcription
from multigraft.runtime.transcribing import by_frames
from multigraft_speech.reader import AudioReader

RATE, HOP, TOKENS = 16_000, 320, ["", "a", "b", "c", " "]
ASKED: dict[str, Any] = {"beams": 1, "hot_words": "", "characters": False}
ANSWERS = Transcription({"vocabulary": TOKENS, "blank": 0})


class Heard:
    """A model that hears a token now and then, always at the same seconds."""

    def __init__(self, seconds: float, *, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.samples = np.zeros(round(seconds * RATE), np.float32)
        self.said = np.zeros(len(self.samples) // HOP + 1, dtype=int)
        place = 5
        while place < len(self.said) - 5:
            self.said[place] = rng.integers(1, len(TOKENS))
            place += int(rng.integers(3, 60 if rng.random() < 0.1 else 9))

    def run(self, batch: Arrays) -> Arrays:
        count = batch["input_values"].shape[1] // HOP
        first = round(float(batch["start"][0]) * RATE / HOP)
        chances = np.full((count, len(TOKENS)), -8.0)
        chances[np.arange(count), self.said[np.arange(first, first + count)]] = -0.01
        return {"log_probabilities": chances[None], "times": (0.01 + np.arange(count) * 0.02)[None]}


@pytest.mark.parametrize("seconds", [0.5, 3.5, 3.6, 23.7, 60.1])
@pytest.mark.parametrize("seed", [0, 1])
def test_segments_hold_every_word_once(seconds: float, seed: int) -> None:
    heard, reader = Heard(seconds, seed=seed), AudioReader(max_seconds=3.5, places=True)
    windows = []
    for row in reader.windows(heard.samples):
        outputs = heard.run({name: array[None] for name, array in row.items()})
        windows.append(Window(row, {name: array[0] for name, array in outputs.items()}))
    whole = ANSWERS.answer(None, windows, ASKED)
    found = [*by_frames.transcribe(heard.run, ANSWERS, reader, heard.samples, ASKED)]
    words = [word for each in found for word in each["words"]]
    assert [word["text"] for word in words] == [word["text"] for word in whole["words"]]
    for word, other in zip(words, whole["words"], strict=True):
        assert word["start"] == pytest.approx(other["start"], abs=0.021)
    for each in found:
        assert each["text"] == " ".join(word["text"] for word in each["words"])
        assert (each["start"], each["end"]) == (each["words"][0]["start"], each["words"][-1]["end"])


def test_little_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the sound, frames of some seconds are decoded at a time."""
    heard, reader = Heard(120.0, seed=2), AudioReader(max_seconds=3.5, places=True)
    decode, lengths = Transcription.heard, list[int]()
    monkeypatch.setattr(
        Transcription,
        "heard",
        lambda self, frames, asked: lengths.append(len(frames[1])) or decode(self, frames, asked),
    )
    assert len([*by_frames.transcribe(heard.run, ANSWERS, reader, heard.samples, ASKED)]) > 10
    assert max(lengths) < 15 * RATE / HOP
