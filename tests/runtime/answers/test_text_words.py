"""Words of raw text: where they go on, and which tokens begin them."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from multigraft.runtime.answers.text_words import WORDS, Words, inner_places, word_starts


def cut(text: str, words: Words) -> list[str]:
    """The text cut wherever no word goes on, without spaces."""
    inner = inner_places(text, words)
    places = [0, *np.flatnonzero(~inner[1:-1]) + 1, len(text)]
    return [text[a:b] for a, b in pairwise(places) if text[a:b].strip()]


@pytest.mark.parametrize(
    ("text", "spaced", "letters"),
    [
        ("Oslo", ["Oslo"], ["Oslo"]),
        ("(U.S.) it", ["(", "U.S", ".", ")", "it"], ["(", "U", ".", "S", ".", ")", "it"]),
        ("@ada's x_1", ["@", "ada's", "x_1"], ["@", "ada", "'", "s", "x_1"]),
        ("हिन्दी, है", ["हिन्दी", ",", "है"], ["हिन्दी", ",", "है"]),
        ("日本", ["日本"], ["日本"]),
        ("e\u0301te\u0301.", ["e\u0301te\u0301", "."], ["e\u0301te\u0301", "."]),
        ("... !", [".", ".", ".", "!"], [".", ".", ".", "!"]),
        ("", [], []),
    ],
)
def test_where_words_go_on(text: str, spaced: list[str], letters: list[str]) -> None:
    assert [cut(text, words) for words in WORDS] == [spaced, letters]


def test_a_word_begins_behind_what_is_no_part_of_it() -> None:
    text = "co-op, not"
    places = np.array([[0, 2, 0], [2, 3, 1], [3, 5, 2], [3, 5, 2], [5, 6, 3], [7, 10, 4]])
    assert word_starts(text, places, "spaced").tolist() == [0, 4, 5]
    assert word_starts(text, places, "letters").tolist() == [0, 1, 2, 4, 5]
    assert word_starts(text, places, None).tolist() == list(range(6))
    assert word_starts("", places[:0], "spaced").tolist() == []


@pytest.mark.parametrize(
    "text", ["." * 200_000, "a." * 100_000, "a" + "." * 200_000, "-_" * 99_999]
)
@pytest.mark.parametrize("words", WORDS)
def test_no_text_takes_long(text: str, words: Words) -> None:
    began = time.process_time()
    inner_places(text, words)
    assert time.process_time() - began < 5
