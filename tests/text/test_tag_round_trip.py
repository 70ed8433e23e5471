"""From spans to tags of tokens, and from tags that are told with certainty back to the spans."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import multigraft as mg
from multigraft.runtime.answers.tagging import Tagging
from multigraft.runtime.answers.text_words import WORDS as WORDS_OF
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader
from multigraft_text.spans import span_rows, span_spec
from multigraft_text.tagging import IGNORED, TokenClassification

WORDS = (
    *("Ada", "U.S.", "cafe\u0301", "Zürich", "don't", "techno-based", "(", "...", "New", "York"),
    *("日本", "\U0001f600", "हिन्दी", "x_1", "A.B", "1,000.5", "naïve", "\u201cso\u201d"),
)
BIO = {"scheme": "bio"}
TOKENIZERS = ["wordpiece", "bpe", "unigram", "character"]


def reader(tokenizer: str) -> TextReader:
    style = "bert" if tokenizer == "wordpiece" else "gpt"
    learn = {"style": style, "tokenizer": tokenizer, "vocabulary": 400, "lowercase": True}
    spec: dict[str, Any] = {"kind": "text", "max_length": 512, "tokenizer.json": None}
    spec |= {"token_types": style == "bert", "places": True, "learn": learn}
    return TextReader(fit([" ".join(WORDS[:9])] * 20, spec))


def made(rng: np.random.Generator) -> dict[str, Any]:
    words = [str(word) for word in rng.choice(WORDS, int(rng.integers(1, 20)))]
    tags, inside = [], ""
    for _ in words:
        if inside and rng.random() < 0.4:
            tags.append(f"I-{inside}")
            continue
        inside = str(rng.choice(["", "PER", "LOC"]))
        tags.append(f"B-{inside}" if inside else "O")
    return span_rows({"words": words, "tags": tags}, {"scheme": "bio"})


def told(objective: TokenClassification, tags: np.ndarray) -> np.ndarray:
    """Log-probabilities of a graph that is sure; of what is no token, that it begins something."""
    chances = np.full((len(tags), 1 + 2 * len(objective.labels)), -9.0, np.float32)
    chances[np.arange(len(tags)), np.where(tags == IGNORED, 1, tags)] = -0.001
    return chances


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_spans_come_back_as_they_went(tokenizer: str) -> None:
    of, rng = reader(tokenizer), np.random.default_rng(0)
    rows = [made(rng) for _ in range(200)]
    targets = span_spec({"spans": [row["spans"] for row in rows]})
    assert targets["words"] == "spaced", "words are joined by spaces"
    for words in (*WORDS_OF, None):
        for pieces in ("first", "all"):
            _check(of, rows, {**targets, "words": words}, pieces)


def _check(
    of: TextReader, rows: list[dict[str, Any]], targets: dict[str, Any], pieces: str
) -> None:
    options = {"dropout": 0.0, "pieces": pieces}
    brief = SimpleNamespace(targets=targets, options=options, backbone=None)
    objective, answers = TokenClassification(cast("mg.Brief", brief)), Tagging(targets)
    for row in rows:
        arrays = of.read(row["text"])
        tags = objective.encode(row, arrays)["tags"]
        window = mg.Window(arrays, {"log_probabilities": told(objective, tags)}, len(tags))
        found = answers.answer(row["text"], [window], {"threshold": None})["entities"]
        assert [(each["start"], each["end"], each["label"]) for each in found] == [
            (span["start"], span["end"], span["label"]) for span in row["spans"]
        ], row


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_spans_beyond_a_row_are_left_out_and_the_rest_is_tagged(tokenizer: str) -> None:
    of = reader(tokenizer)
    short = TextReader({**of.spec(), "max_length": 8})
    row = span_rows(
        {"words": ["Ada", "Zürich"] * 9, "tags": ["B-PER", "B-LOC"] * 9}, {"scheme": "bio"}
    )
    targets = span_spec({"spans": [row["spans"]]})
    brief = SimpleNamespace(targets=targets, options={"pieces": "all"}, backbone=None)
    objective = TokenClassification(cast("mg.Brief", brief))
    whole, cut = (objective.encode(row, each.read(row["text"]))["tags"] for each in (of, short))
    kept = cut[cut != IGNORED]
    np.testing.assert_array_equal(kept, whole[whole != IGNORED][: len(kept)])
    assert len(cut) == 8


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_of_a_word_the_first_token_is_learned_from(tokenizer: str) -> None:
    of = reader(tokenizer)
    row = span_rows({"words": ["techno-based", "don't"] * 4, "tags": ["B-LOC", "O"] * 4}, BIO)
    arrays, targets = of.read(row["text"]), span_spec({"spans": [row["spans"]]})
    learned = {}
    for pieces in ("first", "all"):
        brief = SimpleNamespace(targets=targets, options={"pieces": pieces}, backbone=None)
        learned[pieces] = TokenClassification(cast("mg.Brief", brief)).encode(row, arrays)["tags"]
    first, every = learned["first"] != IGNORED, learned["all"] != IGNORED
    assert first.sum() == 8 < every.sum() == (arrays["places"][:, 2] >= 0).sum()
    np.testing.assert_array_equal(learned["first"][first], learned["all"][first])
