"""Words are drawn from where a decoder listens to the pauses beside them."""

from __future__ import annotations

import numpy as np
import pytest

from multigraft.runtime.transcribing.token_words import TokenWord
from multigraft.runtime.transcribing.word_edges import Anchors, quiet_moments, word_edges
from multigraft.runtime.transcribing.word_times import Listening, shifted, word_times

SPOKEN = [(0.32, 0.71), (0.80, 1.24), (1.60, 1.95)]
"""Seconds of three words, the second of which has a stop inside."""
STOP = (0.98, 1.03)
LISTENED = [0.55, 0.75, 1.15, 1.5, 1.8, 2.1]
"""Where a decoder listens for one, a comma, two (in two tokens), a stop, three, and the end."""
WORDS = [TokenWord("one,", 0, 0), TokenWord("two.", 2, 2), TokenWord("three", 4, 4)]


def moments(seconds: float = 2.4) -> np.ndarray:
    """Decibels of each hundredth of a second: words of 0, pauses of -40, a little noise."""
    time = np.arange(round(100 * seconds)) / 100
    loud = np.zeros(len(time), dtype=bool)
    for start, end in SPOKEN:
        loud |= (time >= start - 1e-9) & (time < end - 1e-9)
    loud &= (time < STOP[0]) | (time >= STOP[1])
    return np.where(loud, 0.0, -40.0) + np.random.default_rng(0).normal(0, 2, len(time))


def listening() -> Listening:
    time = 0.02 * np.arange(120)
    looked = np.array([np.exp(-(((time - each) / 0.08) ** 2)) for each in LISTENED])
    return Listening(looked - 0.2, np.array([0.9, 0.5, 0.8, 0.5, 0.7]), 0.02)


def test_words_lie_between_the_pauses() -> None:
    found = word_times(WORDS, listening(), moments())
    assert [word["text"] for word in found] == ["one,", "two.", "three"]
    assert [word["score"] for word in found] == [0.9, 0.8, 0.7]
    for word, (start, end) in zip(found, SPOKEN, strict=True):
        assert word["start"] == pytest.approx(start, abs=0.011)
        assert word["end"] == pytest.approx(end, abs=0.011)
    assert shifted(found[0], 30.0)["start"] == pytest.approx(30 + found[0]["start"])


def test_without_pauses_one_word_ends_where_the_next_begins() -> None:
    for loudness in (np.zeros(240), np.zeros(0)):
        one, two, three = word_times(WORDS, listening(), loudness)
        assert one["end"] == two["start"] and two["end"] == three["start"]
        assert 0.55 < one["end"] < 1.15 < two["end"] < 1.8


def test_words_that_were_not_read_stand_at_the_end() -> None:
    known = listening()
    short = Listening(known.looked[[0, 5]], known.chances[:1], known.step)
    one, two, _ = word_times(WORDS, short, moments())
    assert two["start"] == two["end"] == one["end"] and two["score"] == 0.0


def test_no_words() -> None:
    none = Listening(np.zeros((1, 5)), np.zeros(0), 0.02)
    assert word_times([], none, moments()) == []


def test_the_longest_quiet_is_the_pause() -> None:
    quiet = np.array([1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1], dtype=bool)
    edges = word_edges([Anchors(1, 2), Anchors(10, 12)], [5], quiet)
    assert edges == [(1, 6), (9, 13)]
    assert word_edges([Anchors(1, 1), Anchors(2, 2)], [2], quiet)[0] == (1, 2)
    assert word_edges([Anchors(99, 99)], [], quiet)[0][1] <= len(quiet)


def test_a_sound_without_contrast_is_never_quiet() -> None:
    steady = np.random.default_rng(0).normal(-20, 1, 300)
    assert not quiet_moments(steady).any()
    assert not quiet_moments(np.full(5, -80.0)).any()
