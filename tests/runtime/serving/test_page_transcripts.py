"""What the page makes of what is said in a sound."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.page_elements import page, words

SEGMENTS = [
    {"start": 0.0, "end": 1.5, "text": "Hello."},
    {"start": 62.04, "end": 3723.5, "text": "Again."},
]
SHOWN = "(page, [answer, more]) => page.transcript(answer, more)"


def lines(shown: Any) -> list[str]:
    return [words(kid) for kid in shown[0]["kids"]]


def test_segments_stand_behind_their_times() -> None:
    shown = page("transcript", SHOWN, [{"segments": SEGMENTS}, {}])
    assert lines(shown) == ["0:00.0Hello.", "1:02.0Again."] and len(shown) == 1


def test_while_a_sound_is_heard_it_says_how_much_was() -> None:
    shown = page("transcript", SHOWN, [{"segments": SEGMENTS[:1]}, {"heard": 3723.45}])
    assert words(shown[1]) == "Heard 1:02:03.5 …"


def test_words_are_cut_in_lines_at_pauses() -> None:
    said = [("a", 0.0, 0.2), ("b", 0.3, 0.5), ("c", 1.2, 1.4)]
    told = [{"text": text, "start": start, "end": end} for text, start, end in said]
    shown = page("transcript", SHOWN, [{"words": told, "text": "a b c"}, {}])
    assert lines(shown) == ["0:00.0a b ", "0:01.2c "]
    assert words(page("transcript", SHOWN, [{"words": [], "text": ""}, {}])) == "Nothing is said."


def test_a_time_plays_the_sound_from_there() -> None:
    call = """async (page, segments) => {
      const heard = [];
      const make = document.createElement;
      document.createElement = (tag) => Object.assign(make(tag), {
        addEventListener(name, call) { if (name === "click") call(); },
      });
      page.transcript({ segments }, { seek: (second) => heard.push(second) });
      return heard;
    }"""
    assert page("transcript", call, SEGMENTS) == [0, 62.04]


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        ({"text": "a", "segments": []}, True),
        ({"text": "a", "words": []}, True),
        ({"segments": [{"mask": 1}], "size": [1, 1]}, False),
        ({"text": "a", "tokens": [1]}, False),
    ],
)
def test_a_transcript_is_told_from_other_answers(answer: dict[str, Any], is_one: bool) -> None:
    assert page("transcript", "(page, answer) => page.isTranscript(answer)", answer) is is_one
