"""Spans as answers: the best sequence that is allowed, windows without a seam, and their scores."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from multigraft.contracts.answers import Window
from multigraft.errors import BundleError
from multigraft.runtime.answers.span_scores import span_counts, span_metrics
from multigraft.runtime.answers.tagging import Tagging, best_tags

LABELS = ["LOC", "ORG", "PER"]
TAGS = ["O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BI")]
ASKED = {"threshold": None}


def log_softmax(values: np.ndarray) -> np.ndarray:
    exponents = np.exp(values - values.max(-1, keepdims=True))
    return np.log(exponents / exponents.sum(-1, keepdims=True)).astype(np.float32)


def allowed(tags: Sequence[int]) -> bool:
    befores = (0, *tags[:-1])
    return all(
        tag == 0 or tag % 2 or before in (tag, tag - 1)
        for before, tag in zip(befores, tags, strict=True)
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_best_sequence_is_the_best_of_all_that_are_allowed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chances = log_softmax(2 * rng.normal(size=(5, 5)))
    sequences = [each for each in itertools.product(range(5), repeat=5) if allowed(each)]
    totals = [sum(chances[place, tag] for place, tag in enumerate(each)) for each in sequences]
    assert tuple(best_tags(chances)) == sequences[int(np.argmax(totals))]


def tokens(text: str, piece: int = 3) -> np.ndarray:
    """Words cut in pieces of so many letters, [T, 3]; commas are by themselves."""
    return np.array(
        [
            (word.start() + at, min(word.start() + at + piece, word.end()), number)
            for number, word in enumerate(re.finditer(r"\w+|[^\w\s]", text))
            for at in range(0, len(word.group()), piece)
        ]
    )


def window(places: np.ndarray, tags: Sequence[int], count: int, sure: float = 0.9) -> Window:
    """What a graph would give that tells these tags, in a row with a token around at both ends."""
    chances = np.full((len(tags) + 4, count), (1 - sure) / (count - 1))  # the last two are padding
    chances[1 + np.arange(len(tags)), list(tags)] = sure
    around = np.array([[0, 0, -1]])
    row = {"places": np.concatenate([around, places, around])}
    return Window(row, {"log_probabilities": np.log(chances).astype(np.float32)}, len(tags) + 2)


def test_an_answer_is_in_characters_of_the_raw_text() -> None:
    text = "In New York, Grace  Hopper met Ada."
    places = tokens(text)
    named = {"New York": 1, "Grace  Hopper": 5, "Ada": 5}
    tags = [0] * len(places)
    for name, tag in named.items():
        start = text.index(name)
        inside = (places[:, 0] >= start) & (places[:, 1] <= start + len(name))
        for number, token in enumerate(np.flatnonzero(inside)):
            tags[token] = tag + (number > 0)
    answers = Tagging({"labels": LABELS, "words": "spaced"})
    found = answers.answer(text, [window(places, tags, 7)], ASKED)["entities"]
    assert [(each["text"], each["label"]) for each in found] == [
        ("New York", "LOC"),
        ("Grace  Hopper", "PER"),
        ("Ada", "PER"),
    ]
    assert all(text[each["start"] : each["end"]] == each["text"] for each in found)
    assert [each["score"] for each in found] == pytest.approx([0.9] * 3, abs=1e-6)
    assert answers.answer(text.encode(), [window(places, tags, 7)], ASKED)["entities"] == found
    assert answers.answer(text, [window(places, tags, 7)], {"threshold": 0.95}) == {"entities": []}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("spaced", ["Grace O-Hara"]), ("letters", ["Grace O", "Hara"]), (None, ["ce O", "Hara"])],
)
def test_the_first_token_of_a_word_tells_its_tag(words: str | None, wanted: list[str]) -> None:
    text = "Grace O-Hara, she"
    places = np.array([[0, 3, 0], [3, 5, 0], [6, 7, 1], [7, 8, 2], [8, 12, 3], [12, 13, 4]])
    tags = [1, 1, 2, 0, 1, 0]
    if words is None:
        tags[0] = 0
    (given,) = [window(places, tags, 3)]
    answers = Tagging({"labels": ["PER"], "words": words})
    found = answers.answer(text, [given], ASKED)["entities"]
    assert [each["text"] for each in found] == wanted
    assert [each["score"] for each in found] == pytest.approx([0.9] * len(wanted), abs=1e-6)


LENGTH, OVERLAP = 120, 30


def planted(rng: np.random.Generator, count: int) -> tuple[str, list[tuple[int, int]]]:
    """A text with so many names in it, and where they stand."""
    text, spans = "", []
    while len(spans) < count:
        text += "filler " * int(rng.integers(1, 12))
        name = "Name " * int(rng.integers(1, 4))
        spans.append((len(text), len(text) + len(name) - 1))
        text += name
        text += "and "
    return text, spans


def test_no_span_of_a_thousand_is_lost_or_doubled_where_windows_meet() -> None:
    text, spans = planted(np.random.default_rng(0), 1000)
    places = tokens(text)
    tags = np.zeros(len(places), np.int64)
    for start, end in spans:
        inside = np.flatnonzero((places[:, 0] >= start) & (places[:, 1] <= end))
        tags[inside] = 2
        tags[inside[0]] = 1
    step = LENGTH - OVERLAP
    cuts = [(at, at + LENGTH) for at in range(0, len(places) - OVERLAP, step)]
    given = [window(places[a:b], tags[a:b], 3) for a, b in cuts]
    # a window that begins within a name cannot know it
    for each, (begin, _) in zip(given, cuts, strict=True):
        for token in range(begin, min(begin + 6, len(tags))):
            if tags[token] != 2:
                break
            each.outputs["log_probabilities"][1 + token - begin] = np.log([0.8, 0.1, 0.1])
    found = Tagging({"labels": ["PER"], "words": "spaced"}).answer(text, given, ASKED)
    assert [(each["start"], each["end"]) for each in found["entities"]] == spans
    assert len(cuts) > 50


def random_tags(rng: np.random.Generator, length: int) -> list[str]:
    """Words as BIO has them."""
    found: list[str] = []
    while len(found) < length:
        label = LABELS[rng.integers(3)]
        if rng.random() < 0.5:
            found.append("O")
        else:
            found += [f"B-{label}", *[f"I-{label}"] * int(rng.integers(0, 3))]
    return found[:length]


def spans_of(tags: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"label": label, "start": start, "end": end + 1} for label, start, end in get_entities(tags)
    ]


def test_scores_are_seqevals() -> None:
    """500 random sets of rows: precision, recall and F1, of all, averaged, and by type."""
    rng = np.random.default_rng(0)
    true = [random_tags(rng, int(rng.integers(1, 25))) for _ in range(300)]
    told = [list(tags) if rng.random() < 0.4 else random_tags(rng, len(tags)) for tags in true]
    answers = Tagging({"labels": LABELS})
    kept = np.stack(
        [
            answers.score({"entities": spans_of(ours)}, {"spans": spans_of(theirs)})["spans"]
            for ours, theirs in zip(told, true, strict=True)
        ]
    )
    for _ in range(500):
        rows = rng.choice(len(true), size=int(rng.integers(1, 9)), replace=False)
        found = answers.summarise({"spans": kept[rows]})
        for name, wanted in _seqevals([true[row] for row in rows], [told[row] for row in rows]):
            assert found[name] == pytest.approx(wanted, abs=1e-9)


def _seqevals(true: list[list[str]], told: list[list[str]]) -> Iterator[tuple[str, float]]:
    given: dict[str, Any] = {"y_true": true, "y_pred": told, "zero_division": 0}
    types = sorted({tag[2:] for tags in (*true, *told) for tag in tags} - {""})
    if not types:  # a mean of no types is NaN there
        return
    for average, suffixes in (
        ("micro", [""]),
        ("macro", ["_macro"]),
        (None, [f"_{each}" for each in types]),
    ):
        figures = precision_recall_fscore_support(**given, average=average)
        for name, values in zip(("precision", "recall", "f1"), figures, strict=False):
            for suffix, value in zip(suffixes, np.atleast_1d(values), strict=True):
                yield f"{name}{suffix}", float(value)


def test_spans_that_overlap_count_beside_those_that_are_right() -> None:
    expected = [{"start": 0, "end": 9, "label": "PER"}, {"start": 20, "end": 25, "label": "LOC"}]
    answered = [
        {"start": 0, "end": 3, "label": "PER"},
        {"start": 4, "end": 9, "label": "PER"},
        {"start": 20, "end": 25, "label": "ORG"},
    ]
    counts = span_counts(answered, expected, LABELS)
    assert counts.tolist() == [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 2, 1, 2, 1]]
    found = span_metrics(counts, LABELS)
    assert found["f1"] == 0
    assert found["precision_partial"] == pytest.approx(2 / 3)
    assert found["recall_partial"] == pytest.approx(1 / 2)


def test_a_type_with_the_name_of_a_mean_does_not_hide_it() -> None:
    counts = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 0]])
    assert span_metrics(counts, ["macro", "x"])["f1_macro"] == 0.5


def test_outputs_that_do_not_fit_are_refused() -> None:
    given = window(tokens("Ada"), [1], 5)
    with pytest.raises(BundleError, match="tells 5 tags apart; 3 are needed for 1 types"):
        Tagging({"labels": ["PER"]}).answer("Ada", [given], ASKED)
    given = window(tokens("Ada"), [1], 3)
    given.outputs["log_probabilities"][1] = np.nan
    with pytest.raises(BundleError, match="no numbers"):
        Tagging({"labels": ["PER"]}).answer("Ada", [given], ASKED)
