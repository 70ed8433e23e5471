"""A bundle's card: a stranger's words are read in it, and do nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

import multigraft as mg
from multigraft.export.card import model_card
from multigraft.export.markdown import prose
from multigraft.runtime.bundle import Bundle, Port, Precision

EVIL = [
    "a`b",
    "good`\n\n# Owned\n\n<script>alert(1)</script>\n",
    "[here](http://evil.example)",
    "![x](http://evil.example/pixel.png)",
    "http://evil.example www.evil.example a@evil.example",
    "``` \n~~~",
    "a|b",
    "&lt;b&gt;",
    "</code><img src=x onerror=alert(1)>",
    "\x1b]52;c;eA==\x07\u202e",
    "line\u2028line\x85line",
    " edge ",
    "$$x$$",
    "\udcff",
    "---\n- a",
]


def bundle(word: str) -> Bundle:
    accepted = Precision(
        accepted=True, file="model.onnx", reason=word, metric=word, value=0.5, floats=(word,)
    )
    return Bundle(
        task=word,
        modality=word,
        backbone=word,
        reader={"kind": word, word: [word]},
        targets={"labels": [word, "plain"]},
        inputs=(Port(name=word, dtype="int64", shape=("batch", word)),),
        outputs=(Port(name=word, dtype="float32", shape=("batch", 2)),),
        precisions={"fp32": accepted},
        default="fp32",
        opset=20,
        facts={"data": word, word: [word], "rows": 24},
        notes=(word, f"left out: {word}"),
    )


def kind(*suffixes: str) -> mg.Modality:
    """A modality whose values are files with these endings, or typed."""
    return mg.Modality(name="kind", reader=mg.Lazy("x:y"), columns=("x",), suffixes=suffixes)


def rendered(word: str) -> tuple[str, str]:
    """The front matter, and the HTML of the rest."""
    card = model_card(bundle(word), kind(), sample={word: np.ones((1, 2))})
    card.encode()
    _, front, text = card.split("---\n", 2) if card.startswith("---\n") else ("", "", card)
    return front, MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


SOUND = rendered("two words")[1]


@pytest.mark.parametrize("word", EVIL)
def test_words_are_words(word: str) -> None:
    front, page = rendered(word)
    tags = re.findall(r"<[^>]+>", page)
    assert tags == re.findall(r"<[^>]+>", SOUND)  # the same page, whatever the words
    assert yaml.safe_load(front)["tags"] == ["multigraft", word] or word == "\udcff"


def test_a_bare_address_is_no_link() -> None:
    """Renderers on the web make links of addresses that no sign of Markdown's stands beside."""
    said = "see http://x.example, www.x.example, a@x.example"
    assert prose(said) == "see http\\://x.example, www\\.x.example, a\\@x.example"


def test_plain_words_stand_as_they_are() -> None:
    sample = {"f1_macro-2": np.ones((1, 2))}
    card = model_card(bundle("f1_macro-2"), kind(".png"), sample=sample)
    for said in (
        "# f1_macro-2 with f1_macro-2",
        "labels: `f1_macro-2`, `plain`.",
        "- rows: 24",
        "f1_macro-2 0.5000",
    ):
        assert said in card
