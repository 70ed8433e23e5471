"""What is said in a sound on a page without a server: told as Python tells it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.javascript import called
from multigraft.contracts.answers import Window
from multigraft.contracts.options import defaults
from multigraft.runtime.answers.transcription import Transcription

ANSWERS_JS = Path(str(files("multigraft.runtime.web"))) / "page" / "answers.js"
VOCABULARY = ["", "a", "b", " ", "", "c"]
HOP = 0.02
ON_PAGE = """
(() => {
  const windows = given.windows.map(({ start, chances, times }) => ({
    row: { start: { data: [start] } },
    outputs: {
      log_probabilities: { data: Float32Array.from(chances.flat()), dims: [1, chances.length, 6] },
      times: { data: Float32Array.from(times), dims: [1, times.length] },
    },
  }));
  return m.answers.transcription(given.targets, windows, given.asked);
})()
"""


def heard(rng: np.random.Generator, frames: int, start: float, *, padding: int = 0) -> Window:
    """Frames of which many are surely blank, and padding behind them."""
    scores = rng.standard_normal((frames + padding, len(VOCABULARY))).astype(np.float32)
    scores[:, 0] += rng.choice([0.0, 3.0, 8.0], frames + padding)
    chances = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    times = (0.0125 + HOP * np.arange(frames + padding)).astype(np.float32)
    times[frames:] = -1
    outputs = {"log_probabilities": chances, "times": times}
    return Window({"start": np.array(start)}, outputs, frames)


def on_page(windows: list[Window], targets: dict[str, Any], **asked: Any) -> Any:
    told = [
        {
            "start": float(each.row["start"]),
            "chances": each.outputs["log_probabilities"].tolist(),
            "times": each.outputs["times"].tolist(),
        }
        for each in windows
    ]
    return called(ANSWERS_JS, ON_PAGE, {"windows": told, "targets": targets, "asked": asked})


def close(found: Any, wanted: Any) -> None:
    """Texts and times alike, scores to the sixth digit."""
    assert found["text"] == wanted["text"]
    assert found["score"] == pytest.approx(wanted["score"], rel=1e-6)
    for name in ("words", "characters"):
        pairs = zip(found.get(name, []), wanted.get(name, []), strict=True)
        for one, other in pairs:
            assert one == {**other, "score": pytest.approx(other["score"], rel=1e-6)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frames", [0, 1, 400])
def test_words_are_those_that_python_tells(frames: int, seed: int) -> None:
    rng, targets = np.random.default_rng(seed), {"vocabulary": VOCABULARY, "blank": 0}
    answers = Transcription(targets)
    window = heard(rng, frames, 0.0, padding=3)
    asked = {**defaults(answers.asks), "characters": True}
    wanted = answers.answer(None, [window], asked)
    assert len(wanted["words"]) > 5 or frames < 2
    close(on_page([window], targets, characters=True), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_windows_meet_where_python_has_them_meet(seed: int) -> None:
    rng, targets = np.random.default_rng(seed), {"vocabulary": VOCABULARY, "blank": 0}
    answers = Transcription(targets)
    windows = [heard(rng, 200, place * 150 * HOP) for place in range(4)]
    wanted = answers.answer(None, windows, defaults(answers.asks))
    close(on_page(windows, targets, characters=False), wanted)


def test_a_graph_of_another_vocabulary_is_refused() -> None:
    window = heard(np.random.default_rng(0), 5, 0.0)
    told = on_page([window], {"vocabulary": VOCABULARY[:5], "blank": 0}, characters=False)
    assert "tells 6 tokens apart; the vocabulary has 5" in told
