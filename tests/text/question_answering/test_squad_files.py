"""Files of SQuAD 1.1 and 2.0 as rows, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multigraft.errors import DataError
from multigraft_text.question_answering.squad_files import read_squad

ANSWER = {"text": "Rome", "answer_start": 3}


def written(folder: Path, *questions: Any) -> Path:
    path = folder / "rows.json"
    paragraphs = [{"context": "In Rome.", "qas": list(questions)}, {"context": "x", "qas": []}]
    path.write_text(
        json.dumps({"version": "2.0", "data": [{"title": "t", "paragraphs": paragraphs}]})
    )
    return path


def test_every_question_is_a_row(tmp_path: Path) -> None:
    found = read_squad(
        written(
            tmp_path,
            {"id": "a", "question": "Where?", "answers": [ANSWER, ANSWER]},
            {"id": "b", "question": "When?", "is_impossible": True, "answers": [ANSWER]},
            {"id": "c", "question": "Who?", "is_impossible": False, "answers": [ANSWER]},
            {"id": "d", "question": "Why?", "answers": []},
        )
    )
    assert list(found.columns["answers"]) == [[ANSWER, ANSWER], [], [ANSWER], []]
    for name, wanted in (
        ("question", ["Where?", "When?", "Who?", "Why?"]),
        ("passage", ["In Rome."] * 4),
        ("id", list("abcd")),
        ("title", ["t"] * 4),
    ):
        cells = found.columns[name]
        assert (cells.to_pylist() if hasattr(cells, "to_pylist") else cells) == wanted
    assert (found.bad, found.kind) == ({}, "question")


def test_what_is_no_question_is_a_bad_row(tmp_path: Path) -> None:
    given = [{"question": "Where?", "answers": []}, "When?", {"question": "Why?"}]
    found = read_squad(written(tmp_path, *given))
    assert found.bad == {
        1: "is str; an object with a question is needed",
        2: "column 'answers' is missing; a question without one has an empty list",
    }
    assert list(found.columns["answers"]) == [[], None, None]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no list 'data'"),
        ('{"data": []}', "holds no questions"),
        ('{"data": [{"paragraphs": [{"qas": 3}]}]}', "article 1, paragraph 1: holds no list 'qas'"),
        ('{"data": [{}]}', "article 1: holds no list 'paragraphs'"),
        ('{"data": [3]}', "article 1: holds no list 'paragraphs'"),
        ('{"data": [{"paragraphs": [null]}]}', "paragraph 1: holds no list 'qas'"),
    ],
)
def test_another_file_is_refused_by_its_place(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        read_squad(path)
