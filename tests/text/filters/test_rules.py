"""Rules for texts: known values on both sides of each threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.contracts.filters import Dropped
from multigraft.contracts.options import defaults
from multigraft.plugins.catalog import Catalog
from multigraft_text.filters.repetition import DUPLICATED

CATALOG = Catalog()


def judged(name: str, text: Any, **options: Any) -> Any:
    record = CATALOG.filter(name)
    assert record.judge is not None
    return record.judge({**defaults(record.options), **options})(text)


def why(name: str, text: str, **options: Any) -> str:
    found = judged(name, text, **options)
    assert isinstance(found, Dropped), found
    return found.why


def kept(name: str, text: str, **options: Any) -> bool:
    return bool(judged(name, text, **options) == text)


W = "word"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("gopher-words", " ".join([W] * 50), " ".join([W] * 49)),
        ("gopher-words", " ".join([W] * 100_000), " ".join([W] * 100_001)),
        ("gopher-word-length", "abc def", "abc de"),
        ("gopher-word-length", "a" * 10, "a" * 11),
        ("gopher-symbols", f"# {W * 1} " + "a " * 8, f"# # {W} " + "a " * 8),
        ("gopher-symbols", "a... " + "b " * 9, "a... b… " + "c " * 9),
        ("gopher-bullets", "\n".join(["• a"] * 9 + ["b"]), "\n".join(["• a"] * 10 + ["b"])),
        ("gopher-ellipsis-lines", "\n".join(["a..."] * 3 + ["b"] * 7), "a…\nb\nc"),
        ("gopher-alphabetic", "a b c d 1", "a b c 1 2"),
        ("gopher-stop-words", "The end of it", "The end, the end"),
        ("gopher-repeated-lines", "\n".join("aabbccdefghij"), "\n".join("aaabbbccde")),
        ("gopher-repeated-paragraphs", "a\n\nb\n\nc", "a\n\na\n\nb"),
        ("c4-lorem-ipsum", "lorem", "Lorem Ipsum"),
        ("c4-curly-brackets", "a (b)", "a {b"),
        ("c4-sentences", "A. B! C?", "A. B!"),
        ("length", "a" * 5, "a" * 4),
    ],
)
def test_each_side_of_a_threshold(name: str, good: str, bad: str) -> None:
    options = {"low": 5} if name == "length" else {}
    if name == "gopher-repeated-lines":
        options = {"most_characters": 1.0}
    assert kept(name, good, **options)
    assert isinstance(judged(name, bad, **options), Dropped)


def test_the_share_of_characters_in_repeated_lines() -> None:
    text = "\n".join(["a" * 100, "b" * 100, "a" * 100, *"cdefghijk"])
    assert why("gopher-repeated-lines", text) == "more than 20% of characters in repeated lines"


def test_top_ngrams() -> None:
    words = [f"w{number:03d}" for number in range(100)]
    assert kept("gopher-top-ngrams", " ".join(words))
    ten = " ".join(["x001 x002", *words[:18]] * 1)
    assert kept("gopher-top-ngrams", ten), "an n-gram that stands once repeats nothing"
    many = " ".join([*["aaaa bbbb"] * 6, *words[:47]])  # 12 of 59 words
    assert why("gopher-top-ngrams", many) == "one 2-gram makes up more than 20%"


def test_repeated_ngrams_count_each_character_once() -> None:
    words = [f"w{number:03d}" for number in range(94)]
    once = " ".join([*words, *words[:6]])  # 6 of 100 words stood before
    assert kept("gopher-repeated-ngrams", once)
    twice = " ".join([*words[:60], *words[:16]])
    assert why("gopher-repeated-ngrams", twice) == "more than 15% in repeated 5-grams"
    assert kept("gopher-repeated-ngrams", twice, scale=2.2)


@pytest.mark.parametrize("seed", range(40))
def test_repeated_ngrams_are_those_of_looking_at_every_length(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = [f"w{number}" for number in rng.integers(0, 400, 120)]
    for _ in range(rng.integers(1, 4)):
        start, size = rng.integers(0, 96), rng.integers(4, 24)
        words += words[start : start + size]
    text, total = " ".join(words), sum(map(len, words))
    wanted = ""
    for count, most in DUPLICATED.items():
        again: set[int] = set()
        for place in range(len(words) - count + 1):
            gram = words[place : place + count]
            if any(words[old : old + count] == gram for old in range(place)):
                again |= set(range(place, place + count))
        if not wanted and sum(len(words[place]) for place in again) > most * total:
            wanted = f"more than {most:.0%} in repeated {count}-grams"
    found = judged("gopher-repeated-ngrams", text)
    assert (found.why if isinstance(found, Dropped) else "") == wanted


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("c4-terminal-punctuation", "Menu\nA line.\nMore ...\nYes!", "A line.\nYes!"),
        ("c4-line-words", "One two three four\nOne two three four five", "One two three four five"),
        ("c4-javascript", "Enable JavaScript now.\nText.", "Text."),
        ("c4-policy", "Our Privacy Policy changed.\nText.", "Text."),
        ("c4-citations", "So it is.[12][edit] And[citation needed] so.", "So it is. And so."),
        ("boilerplate", "Sign in | Register\nThe text of it.", "The text of it."),
        ("markup", "<p>a<br>b</p><style>p{}</style> &amp; c", "a\nb\n  & c"),
        ("markup", "see <URL:http://a.b/>, <j@a.b> and vector<int>", None),
        ("markup", "if (a<b && c>d) {} for i<p or q>r, a <b c> d", None),
        (
            "markup",
            "x<b>y</b > <img src=a.png><div data-x><td foo><a\nhref='b c' @x>z</a>",
            "xy \nz",
        ),
        ("markup", "a<!-- <b>x</b> --><SCRIPT async>y<x</script >b<br/>c", "a b\nc"),
        ("markup", "the <script> tag <!-- and so on", "the  tag <!-- and so on"),
        ("c4-citations", "driver for 1[234]xx", None),
        ("spaces", " a \t b\r\n\n\n\nc ", "a b\n\nc"),
        ("unicode", "cafÃ© &eacute;", "café é"),
        ("unicode", "你好，世界！（测试）～ ｶﾀｶﾅ", None),
    ],
)
def test_what_is_left_of_a_text(name: str, text: str, left: str | None) -> None:
    assert judged(name, text) == (text if left is None else left)


def test_nothing_left_is_dropped() -> None:
    assert why("c4-terminal-punctuation", "Menu") == "nothing is left"
    assert judged("markup", 3) == Dropped("the value is no text")


def test_words_of_a_list(tmp_path: Any) -> None:
    (tmp_path / "words.txt").write_text("# a note\nbad thing\nworse\n")
    options = {"words": ["ugly"], "file": str(tmp_path / "words.txt")}
    text = "An UGLY uglyness, a bad\n thing, Worse."
    assert judged("mask-words", text, **options) == "An *** uglyness, a ***, ***."
    assert why("mask-words", text, most=2, **options) == "too many words of the list"
    assert judged("mask-words", text, most=3, **options) == "An *** uglyness, a ***, ***."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("O rio nasce nas montanhas e corre para o mar depois de uma longa viagem.", "pt"),
        ("Der Fluss entspringt in den Bergen und fließt nach langer Reise ins Meer.", "de"),
        ("The river rises in the hills and runs to the sea after a long journey.", "en"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert kept("language", text, keep=[language, "fr"])
    assert why("language", text, keep="fr") == f"its language is {language}"


def test_short_texts_have_no_language() -> None:
    assert kept("language", "Haus", keep="en")
    assert why("language", "Haus", keep="en", keep_short=False) == (
        "too short to tell its language"
    )
