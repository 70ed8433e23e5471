"""SQuAD files: articles of paragraphs, each a passage with its questions, as one JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.cells import column, open_text
from multigraft.errors import DataError

COLUMNS = ("question", "passage", "answers", "id", "title")


def read_squad(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read the questions of SQuAD 1.1 and 2.0, each a row: ``question``, ``passage``, ``answers``,
    ``id``, ``title``.

    A question with ``is_impossible`` has no answers, whatever else it holds. One that is no object,
    or says neither that nor ``answers``, is a bad row. Raises DataError for a file of another form.
    """
    with open_text(path, layout.encoding) as file:
        try:
            whole = json.load(file)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path.name}: is no JSON: {error}") from error
    found = list(_questions(_of(whole, "data", path.name), path.name))
    if not found:
        raise DataError(f"{path.name}: holds no questions")
    bad = {number: fault for number, (_, fault) in enumerate(found) if fault}
    columns = {
        name: column([row.get(name) for row, _ in found], name, bad, 0, layout.encoding)
        for name in COLUMNS
    }
    return Parsed(columns, bad, kind="question")


def _questions(articles: list[Any], file: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each question as a row, and what is wrong with it."""
    for number, article in enumerate(articles, 1):
        place = f"{file}: article {number}"
        for turn, paragraph in enumerate(_of(article, "paragraphs", place), 1):
            for question in _of(paragraph, "qas", f"{place}, paragraph {turn}"):
                fault = _fault(question)
                yield ({} if fault else _row(article, paragraph, question)), fault


def _fault(question: Any) -> str:
    if not isinstance(question, dict):
        return f"is {type(question).__name__}; an object with a question is needed"
    if question.get("is_impossible") is not True and question.get("answers") is None:
        return "column 'answers' is missing; a question without one has an empty list"
    return ""


def _row(
    article: Mapping[str, Any], paragraph: Mapping[str, Any], question: Mapping[str, Any]
) -> Mapping[str, Any]:
    return {
        "question": question.get("question"),
        "passage": paragraph.get("context"),
        "answers": [] if question.get("is_impossible") is True else question["answers"],
        "id": question.get("id"),
        "title": article.get("title"),
    }


def _of(holder: Any, name: str, place: str) -> list[Any]:
    """The list that an object holds by this name. Raises DataError."""
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{place}: holds no list {name!r}; a SQuAD file is "
            '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
        )
    return found
