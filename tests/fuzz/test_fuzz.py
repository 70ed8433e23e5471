"""No border lets a bad input through in silence, or answers one with a traceback; `make fuzz` feeds
more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from fuzz.borders import BORDERS
from fuzz.harness import MEMORY, SECONDS, Border, Tally, WrongAnswer, explore
from multigraft.errors import RowError

INPUTS = int(os.environ.get("MULTIGRAFT_FUZZ", "40"))


@pytest.mark.parametrize("name", BORDERS)
def test_a_border_refuses_what_is_broken(name: str, tmp_path: Path) -> None:
    tally = explore(BORDERS[name], tmp_path, bad=INPUTS)
    told = "\n".join(f"{place}: {what}" for place, what in tally.crashes.items())
    assert not tally.crashes, told
    assert tally.bad >= INPUTS, f"only {tally.bad} of {tally.inputs} inputs were bad"
    assert tally.slowest < SECONDS
    assert tally.peak_mb * 2**20 < MEMORY


def explored(feed: Any, folder: Path) -> Tally:
    return explore(
        Border("toy", st.integers(0, 9), lambda _, number: feed(number), list), folder, bad=10
    )


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("fuzz.harness.SECONDS", 0.05)
    yield


def test_a_refusal_is_counted_by_its_kind(tmp_path: Path) -> None:
    def feed(number: int) -> None:
        raise RowError("bad")

    tally = explored(feed, tmp_path)
    assert tally.refused == {"RowError": 10}
    assert not tally.crashes


def test_what_is_not_ours_is_a_crash_with_its_place_and_input(tmp_path: Path) -> None:
    def feed(number: int) -> None:
        raise [KeyError, WrongAnswer][number % 2]("x")

    tally = explored(feed, tmp_path)
    assert {place.partition(" at ")[0] for place in tally.crashes} == {"KeyError", "WrongAnswer"}
    assert tally.bad == 0


def test_an_error_without_a_word_is_a_crash(tmp_path: Path) -> None:
    def feed(number: int) -> None:
        raise RowError

    assert explored(feed, tmp_path).crashes


def test_what_takes_too_long_is_stopped(tmp_path: Path, short_patience: None) -> None:
    def feed(number: int) -> None:
        while True:
            pass

    border = Border("toy", st.just(0), lambda _, number: feed(number), list)
    (place,) = explore(border, tmp_path, bad=1).crashes
    assert place.startswith("Hang")


def test_a_border_that_refuses_what_is_sound_is_none(tmp_path: Path) -> None:
    def feed(folder: Path, raw: int) -> None:
        raise RowError("never")

    with pytest.raises(WrongAnswer, match="a sound input was refused: 7"):
        explore(Border("toy", st.just(0), feed, lambda: [7]), tmp_path, bad=1)
