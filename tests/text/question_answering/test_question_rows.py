"""Questions, passages and answers become one form; what does not fit is a bad row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from multigraft import RowError
from multigraft.errors import DataError
from multigraft_text.question_answering.rows import question_rows, question_spec

PASSAGE = "Grace Hopper was born in New York."
ROW = {"question": "Where?", "passage": PASSAGE}
ANSWER = {"text": "New York", "start": 25}


@pytest.mark.parametrize(
    "cell",
    [
        [ANSWER],
        json.dumps([ANSWER]),
        [{"text": "New York", "answer_start": 25}],
        {"text": ["New York"], "answer_start": [25]},
        json.dumps({"text": ["New York"], "answer_start": [25]}),
        [{"text": " New York", "start": 24}],
        ANSWER,
        {"text": "New York", "answer_start": 25},
    ],
)
def test_answers_become_texts_with_their_places(cell: Any) -> None:
    wanted = {"id": 7, "text": "Where?", "text_pair": PASSAGE, "answers": [ANSWER]}
    assert question_rows({**ROW, "id": 7, "answers": cell}) == wanted


@pytest.mark.parametrize("cell", [None, "", [], {"text": [], "answer_start": []}])
def test_a_question_may_have_no_answer(cell: Any) -> None:
    assert question_rows({**ROW, "answers": cell})["answers"] == []


def test_columns_may_have_other_names() -> None:
    wanted = question_rows({**ROW, "answers": [ANSWER]})
    assert question_rows({"question": "Where?", "context": PASSAGE, "answers": [ANSWER]}) == wanted
    assert question_rows({"text": "Where?", "text_pair": PASSAGE, "answers": [ANSWER]}) == wanted


@pytest.mark.parametrize(
    ("changed", "said", "column"),
    [
        ({"question": " "}, "the text is empty", "question"),
        ({"question": None}, "is empty", "question"),
        ({"passage": ""}, "the text is empty", "passage"),
        ({"passage": None}, "is empty", "passage"),
        ({"answers": [{"text": "New York", "start": 30}]}, "at 30 to 38, and the pass", "answers"),
        ({"answers": [{"text": "New York", "start": -1}]}, "at -1 to 7", "answers"),
        ({"answers": [{"text": "New York", "start": 24}]}, "the passage has ' New Yor", "answers"),
        ({"answers": [{"text": "new York", "start": 25}]}, "has 'New York'", "answers"),
        ({"answers": [{"text": " ", "start": 5}]}, "without text", "answers"),
        ({"answers": [{"start": 5}]}, "without text", "answers"),
        ({"answers": [{"text": "New York", "start": "25"}]}, "a whole number", "answers"),
        ({"answers": [{"text": "New York", "start": True}]}, "a whole number", "answers"),
        ({"answers": [{"text": "New York"}]}, "a whole number", "answers"),
        ({"answers": ["New York"]}, "is no list of objects", "answers"),
        ({"answers": "New York"}, "is no JSON", "answers"),
        ({"answers": 25}, "is no list of objects", "answers"),
        ({"answers": {"text": ["a"], "answer_start": []}}, "as many of both", "answers"),
        ({"answers": {"text": ["a"], "answer_start": 3}}, "as many of both", "answers"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict[str, Any], said: str, column: str) -> None:
    with pytest.raises(RowError, match=said) as refused:
        question_rows({**ROW, "answers": [ANSWER], **changed})
    assert refused.value.column == column


def test_a_row_without_a_column_is_told_what_it_holds() -> None:
    with pytest.raises(RowError, match="is missing; the row holds passage, answers"):
        question_rows({"passage": PASSAGE, "answers": [ANSWER]})


def test_a_row_without_the_column_of_answers_is_told_how_to_map_it() -> None:
    with pytest.raises(RowError, match=r"data\.columns maps names"):
        question_rows(ROW)


def test_targets_are_the_longest_answer_and_whether_there_may_be_none() -> None:
    assert question_spec({"answers": [[ANSWER], None]}) == {"longest": 8, "unanswerable": False}
    assert question_spec({"answers": [[ANSWER], []]}) == {"longest": 8, "unanswerable": True}
    with pytest.raises(DataError, match="no training row has an answer"):
        question_spec({"answers": [[], None]})
