"""Segments of a window, and files of subtitles."""

from __future__ import annotations

import json

import pytest

from multigraft.runtime.bundle import Speech
from multigraft.runtime.transcribing.segments import as_context, cut
from multigraft.runtime.transcribing.subtitles import json_lines, srt, vtt

T = 100
SPEECH = Speech(first_timestamp=T, no_timestamps=99, no_speech=98, previous=97, step=0.5)


@pytest.mark.parametrize(
    ("tokens", "times", "behind"),
    [
        ([T, 1, 2], [(0, 9)], 9.0),  # nothing is told to end
        ([1, 2], [(0, 9)], 9.0),
        ([T, 1, T + 6], [(0, 3)], 9.0),  # one time at the end: nothing is said behind it
        ([T, 1, T + 4, T + 6, 2, T + 8], [(0, 2), (3, 4)], 9.0),
        ([T, 1, T + 4, T + 4, 2, 3], [(0, 2)], 2.0),  # what is not ended is heard again
        ([T, 1, T + 4, T + 4, 2, T + 8, T + 8], [(0, 2), (2, 4)], 4.0),
    ],
)
def test_a_window_is_cut_at_pairs_of_times(
    tokens: list[int], times: list[tuple[float, float]], behind: float
) -> None:
    segments, next_start = cut(tokens, SPEECH, 9.0)
    assert [(each.start, each.end) for each in segments] == times
    assert next_start == behind


def test_a_pair_that_ends_a_segment_is_told_once() -> None:
    segments, _ = cut([T, 1, T + 4, T + 4, 2, T + 8, T + 8], SPEECH, 9.0)
    assert as_context(segments, SPEECH, 99) == [T, 1, T + 4, T + 4, 2, T + 8]
    assert as_context(segments, SPEECH, 2) == [2, T + 8]


LINES = [
    {"start": 0.0, "end": 1.5, "text": "Hello <b> & you\n--> there"},
    {"start": 3599.9996, "end": 36_000.25, "text": "Late."},
]


def test_subrip() -> None:
    assert "".join(srt(LINES)) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello <b> & you --> there\n\n"
        "2\n01:00:00,000 --> 10:00:00,250\nLate.\n\n"
    )


def test_webvtt_escapes_what_it_would_read_as_its_own() -> None:
    assert "".join(vtt(LINES)).startswith(
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello &lt;b> &amp; you --&gt; there\n\n"
    )


@pytest.mark.parametrize("lines", [[], LINES[:1], LINES])
def test_json(lines: list[dict[str, object]]) -> None:
    assert json.loads("".join(json_lines(lines))) == lines
