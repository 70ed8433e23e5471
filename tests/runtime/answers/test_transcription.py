"""Transcription: texts with times from log-probabilities, windows at seams, error rates."""

from __future__ import annotations

import json
from typing import Any

import jiwer
import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.contracts.options import defaults
from multigraft.errors import BundleError
from multigraft.runtime.answers.transcription import Transcription

TARGETS = {"vocabulary": ["", " ", "a", "b"], "blank": 0}
ASKED = defaults(Transcription.asks)
STEP, FIRST = 0.02, 0.0125


def window(path: str, *, start: float | None = None, sure: float = 0.9, padding: int = 0) -> Window:
    """Frames that say these characters, "-" for a blank."""
    numbers = ["- ab".index(sign) for sign in path]
    chances = np.full((len(path) + padding, 4), (1 - sure) / 3)
    chances[np.arange(len(path)), numbers] = sure
    times = np.full(len(chances), -1.0)
    times[: len(path)] = FIRST + STEP * np.arange(len(path))
    row = {} if start is None else {"start": np.array(start)}
    return Window(row, {"log_probabilities": np.log(chances), "times": times})


def answered(*windows: Window, **asked: Any) -> dict[str, Any]:
    return Transcription(TARGETS).answer("a.wav", windows, {**ASKED, **asked})


def test_repeats_are_one_character_unless_a_blank_lies_between() -> None:
    assert answered(window("-aab-b--a"))["text"] == "abba"


def test_words_have_the_times_of_their_frames() -> None:
    found = answered(window("--aab  -b--", padding=4), characters=True)
    assert found["text"] == "ab b"
    assert [(each["text"], each["start"], each["end"]) for each in found["words"]] == [
        ("ab", pytest.approx(0.0425, abs=1e-3), pytest.approx(0.1025, abs=1e-3)),
        ("b", pytest.approx(0.1625, abs=1e-3), pytest.approx(0.1825, abs=1e-3)),
    ]
    assert found["score"] == pytest.approx(0.9)
    assert [each["text"] for each in found["characters"]] == ["a", "b", " ", "b"]
    assert json.loads(json.dumps(found)) == found


def test_of_a_silent_sound_the_text_is_empty() -> None:
    assert answered(window("----")) == {"text": "", "score": pytest.approx(0.9), "words": []}
    assert answered(window("-"))["words"] == []


def test_beams_tell_the_same_text_with_the_same_times_where_one_is_sure() -> None:
    one = window("--aa-ab  b-", sure=0.97)
    assert answered(one, beams=8) == answered(one)


def test_hot_words_are_written_where_the_sound_leaves_it_open() -> None:
    one = window("--a-b  a-b--", sure=0.999)
    one.outputs["log_probabilities"][[4, 9]] = np.log([0.02, 0.02, 0.5, 0.46])
    assert answered(one)["text"] == "aa aa"
    assert answered(one, hot_words="AB b")["text"] == "ab ab"
    assert answered(one, hot_words="ba")["text"] == "aa aa"
    sure = window("--a-b  a-b--", sure=0.9999)
    assert answered(sure, hot_words="aa bb") == answered(sure, beams=16)


def test_a_language_model_decides_in_a_search_where_the_sound_leaves_it_open() -> None:
    one = window("--a-b  a-b--", sure=0.999)
    one.outputs["log_probabilities"][[4, 9]] = np.log([0.02, 0.02, 0.5, 0.46])
    arpa = "\\1-grams:\n-2 <unk>\n-1 aa\n-1 ab -0.5\n\\2-grams:\n-0.1 ab aa\n"
    model = {"arpa": arpa, "weight": 1.0, "bonus": 0.5}
    answers = Transcription({**TARGETS, "language_model": model})
    said = [answers.answer("", [one], {**ASKED, "beams": beams})["text"] for beams in (1, 8)]
    assert said == ["aa aa", "ab aa"]
    hot = answers.answer("", [one], {**ASKED, "hot_words": "ab"})
    assert hot["text"] == "ab ab"
    broken = Transcription({**TARGETS, "language_model": {**model, "arpa": "\\1-grams:\nx"}})
    with pytest.raises(BundleError, match="language model"):
        broken.answer("", [one], {**ASKED, "beams": 2})


def test_a_long_sound_is_searched_in_pieces() -> None:
    path = ("-a-b--  " * 600)[:4000] + "-"
    one = window(path, sure=0.97)
    assert answered(one, beams=2)["text"] == answered(one)["text"]


def test_no_character_of_a_thousand_is_lost_or_doubled_where_windows_meet() -> None:
    rng = np.random.default_rng(0)
    pieces = [str(rng.choice(["a", "b", " a", "aa"])) + "-" * int(rng.integers(1, 12))]
    pieces += [
        str(rng.choice(["a", "b", "ba"])) + "-" * int(rng.integers(2, 12)) for _ in range(999)
    ]
    path = "-" + "".join(pieces)
    length, step = 200, 150
    starts = [*range(0, len(path) - length, step), len(path) - length]
    windows = [window(path[at : at + length], start=at * STEP) for at in starts]
    assert len(windows) > 30
    found, whole = answered(*windows), answered(window(path))
    assert found["text"] == whole["text"]
    for one, other in zip(found["words"], whole["words"], strict=True):
        assert one["start"] == pytest.approx(other["start"], abs=2e-3)


def test_error_rates_are_jiwers() -> None:
    rng = np.random.default_rng(0)
    answers = Transcription(TARGETS)
    spoken = ["a", "ab", "ba", "bb"]
    true, told = (
        [" ".join(rng.choice(spoken, int(rng.integers(1, 9)))) for _ in range(1000)]
        for _ in range(2)
    )
    kept = [
        answers.score({"text": one}, {"text": other}) for one, other in zip(told, true, strict=True)
    ]
    found = answers.summarise({name: np.stack([row[name] for row in kept]) for name in kept[0]})
    of_words, of_characters = jiwer.process_words(true, told), jiwer.process_characters(true, told)
    assert found["wer"] == pytest.approx(of_words.wer, abs=1e-12)
    assert found["cer"] == pytest.approx(of_characters.cer, abs=1e-12)
    expected = sum(len(text.split()) for text in true)
    for name in ("substitutions", "insertions", "deletions"):
        assert found[f"wer_{name}"] == pytest.approx(getattr(of_words, name) / expected, abs=1e-12)


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BundleError, match="tells 4 tokens apart; the vocabulary has 2"):
        Transcription({"vocabulary": ["", "a"], "blank": 0}).answer("", [window("ab")], ASKED)
    broken = window("ab")
    broken.outputs["log_probabilities"][1] = np.nan
    with pytest.raises(BundleError, match="no numbers"):
        answered(broken)


def test_a_row_is_right_where_every_character_is() -> None:
    answers = Transcription(TARGETS)
    pairs = [
        ("go on", "go on"),
        ("go", "go on"),
        ("go on on", "go on"),
        ("", "go"),
        ("no on", "go on"),
    ]
    scores = [answers.score({"text": said}, {"text": wanted}) for said, wanted in pairs]
    kept = {name: np.stack([each[name] for each in scores]) for name in scores[0]}
    assert answers.right(kept).tolist() == [True, False, False, False, False]
