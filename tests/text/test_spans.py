"""Rows of words and tags, and of texts and spans, become one form; what is wrong is a bad row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from multigraft import RowError
from multigraft.errors import DataError
from multigraft_text.spans import span_rows, span_spec

BIO = {"scheme": "bio"}
WORDS = ["Ada", "met", "Grace", "Hopper", "."]
TAGS = ["B-PER", "O", "B-PER", "I-PER", "O"]
SPANS = [
    {"start": 0, "end": 3, "label": "PER"},
    {"start": 8, "end": 20, "label": "PER"},
]


@pytest.mark.parametrize(
    "write", [list, tuple, json.dumps, " ".join], ids=["list", "tuple", "json", "spaces"]
)
def test_words_and_tags_become_a_text_and_spans(write: Any) -> None:
    row = {"words": write(WORDS), "tags": write(TAGS), "id": 7, "text_pair": "x"}
    assert span_rows(row, BIO) == {"id": 7, "text": "Ada met Grace Hopper .", "spans": SPANS}


def test_words_that_look_like_json_are_words() -> None:
    row = {"words": "[ Ada ]", "tags": "O B-PER O"}
    assert span_rows(row, BIO)["spans"] == [{"start": 2, "end": 5, "label": "PER"}]


def test_spans_are_ordered_and_bare() -> None:
    text = "Ada met  Grace Hopper ."
    spans = [{"start": 8, "end": 22, "label": " PER"}, {"start": 0, "end": 3, "label": "PER"}]
    wanted = [SPANS[0], {"start": 9, "end": 21, "label": "PER"}]
    for cell in (spans, json.dumps(spans)):
        assert span_rows({"text": text, "spans": cell}, BIO) == {"text": text, "spans": wanted}
    for nothing in (None, "", []):
        assert span_rows({"text": text, "spans": nothing}, BIO)["spans"] == []


def test_half_words_are_marked_and_learned() -> None:
    half = {"start": 0, "end": 2, "label": "PER"}
    cut = span_rows({"text": "Ada met", "spans": [half]}, BIO)["spans"]
    assert cut == [{**half, "splits": "letters"}]
    joined = span_rows({"text": "Ada-May met", "spans": [{**half, "end": 3}]}, BIO)["spans"]
    assert joined == [{**half, "end": 3, "splits": "spaced"}]
    assert span_spec({"spans": [SPANS, None]}) == {"labels": ["PER"], "words": "spaced"}
    assert span_spec({"spans": [SPANS, joined]}) == {"labels": ["PER"], "words": "letters"}
    assert span_spec({"spans": [joined, cut]}) == {"labels": ["PER"], "words": None}
    with pytest.raises(DataError, match="no training row has a span"):
        span_spec({"spans": [[], None]})


@pytest.mark.parametrize(
    ("row", "said", "column"),
    [
        ({"words": WORDS, "tags": TAGS[:4]}, "has 5 words and 4 tags", "tags"),
        ({"words": ["a", " "], "tags": ["O", "O"]}, "holds ' ' in place 2", "words"),
        ({"words": ["a", 3], "tags": ["O", "O"]}, "holds 3 in place 2", "words"),
        ({"words": None, "tags": ["O"]}, "holds NoneType; a list of texts", "words"),
        ({"words": ["a"], "tags": [0]}, "holds 0 in place 1; text is needed", "tags"),
        ({"words": ["a", "b"], "tags": ["O", "I-X"]}, "at word 2 the tag 'I-X'", "tags"),
        ({"words": ["a"]}, "two columns are needed: words and tags, or text", None),
        ({"text": "a"}, "data.columns maps names", None),
        ({"text": "Ada", "spans": "[{"}, "is no JSON", "spans"),
        ({"text": "Ada", "spans": "0-3"}, "is no JSON", "spans"),
        ({"text": "Ada", "spans": [3]}, "is no list of objects", "spans"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 4, "label": "P"}]}, "0 to 4, and", "spans"),
        ({"text": "Ada", "spans": [{"start": -1, "end": 2, "label": "P"}]}, "-1 to 2", "spans"),
        ({"text": "Ada", "spans": [{"start": 2, "end": 2, "label": "P"}]}, "2 to 2", "spans"),
        ({"text": "Ada", "spans": [{"start": True, "end": 2, "label": "P"}]}, "whole", "spans"),
        ({"text": "Ada", "spans": [{"start": "0", "end": 2, "label": "P"}]}, "whole", "spans"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 2, "label": " "}]}, "no type", "spans"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 2}]}, "no type", "spans"),
        ({"text": "A   a", "spans": [{"start": 1, "end": 3, "label": "P"}]}, "spaces", "spans"),
    ],
)
def test_what_is_wrong_is_a_bad_row(row: dict[str, Any], said: str, column: str | None) -> None:
    with pytest.raises(RowError) as error:
        span_rows(row, BIO)
    assert said in str(error.value)
    assert error.value.column == column


def test_spans_that_cross_or_lie_in_each_other_are_refused() -> None:
    for other in ((1, 5), (2, 3), (0, 4)):
        spans = [{"start": start, "end": end, "label": "P"} for start, end in ((0, 4), other)]
        with pytest.raises(RowError, match="share characters; a character is of one span"):
            span_rows({"text": "Ada met", "spans": spans}, BIO)


def test_offsets_are_of_the_text_as_the_reader_takes_it() -> None:
    spans = [{"start": 3, "end": 9, "label": "LOC"}]
    row = span_rows({"text": "in Z\u00fcrich".encode(), "spans": spans}, BIO)
    assert row == {"text": "in Z\u00fcrich", "spans": spans}
    for text in (None, " ", b"\xff", 3):
        with pytest.raises(RowError):
            span_rows({"text": text, "spans": []}, BIO)


def test_no_words_are_an_empty_text() -> None:
    with pytest.raises(RowError, match="the text is empty"):
        span_rows({"words": "[]", "tags": "[]"}, BIO)


def told_of(rows: list[dict[str, Any]], scheme: str = "bio") -> tuple[list[Any], list[str]]:
    told: list[str] = []
    return [span_rows(row, {"scheme": scheme}, told.append)["spans"] for row in rows], told


def test_a_row_of_both_forms_says_which_was_taken() -> None:
    both = {"words": WORDS, "tags": TAGS, "text": "Ada", "spans": []}
    (spans,), told = told_of([both])
    assert spans == SPANS and len(told) == 1 and "words and tags were taken" in told[0]
    asked = {**both, "spans": None}  # only to be answered
    half = {name: both[name] for name in ("words", "tags", "text")}
    for alone in (asked, half, {"text": "Ada", "spans": []}):
        assert told_of([alone])[1] == []


def test_labels_that_differ_in_spaces_alone_are_told_and_joined() -> None:
    rows = [
        {"text": "Ada met", "spans": [{"start": 0, "end": 3, "label": label}]}
        for label in ("PER", "PER ", "per")
    ]
    spans, told = told_of(rows)
    assert [each["label"] for (each,) in spans] == ["PER", "PER", "per"]
    assert told == ["the label 'PER ' was read as 'PER'"]
    assert span_spec({"spans": spans}, BIO)["labels"] == ["PER", "per"]


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        (["B-PER", "I-PER", "O"], "bio"),
        (["B-PER", "B-LOC", "O"], "bio"),
        (["S-PER", "B-LOC", "E-LOC"], "bioes"),
        (["U-PER", "B-LOC", "L-LOC"], "bilou"),
    ],
)
@pytest.mark.parametrize("scheme", ["io", "words"])
def test_tags_with_prefixes_are_no_labels(tags: list[str], fits: str, scheme: str) -> None:
    spans, _ = told_of([{"words": ["a", "b", "c"], "tags": tags}], scheme)
    with pytest.raises(DataError, match=rf"tags of scheme '{fits}'.*say task: {{scheme: {fits}}}"):
        span_spec({"spans": spans}, {"scheme": scheme})
    own = [{"start": 0, "end": 1, "label": label} for label in tags]
    assert span_spec({"spans": [own]}, BIO)["labels"] == sorted(tags), "spans have any label"


@pytest.mark.parametrize("labels", [["E-mail"], ["E-mail", "phone"], ["x-ray", "e-mail"], ["PER"]])
def test_labels_with_a_dash_of_their_own_are_labels(labels: list[str]) -> None:
    spans = [{"start": 0, "end": 1, "label": label} for label in labels]
    assert span_spec({"spans": [spans]}, {"scheme": "io"})["labels"] == sorted(labels)
