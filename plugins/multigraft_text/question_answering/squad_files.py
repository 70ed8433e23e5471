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

    A question with ``is_impossible`` has no answers, whatever else it holds. One that is not an
    object with a question is a bad row. Raises DataError for a file of another form.
    """
    with open_text(path, layout.encoding) as file:
        try:
            whole = json.load(file)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path.name}: is no JSON: {error}") from error
    rows, bad = [], {}
    for number, (row, fault) in enumerate(_questions(_of(whole, "data", path.name), path.name)):
        rows.append(row)
        if fault is not None:
            bad[number] = fault
    if not rows:
        raise DataError(f"{path.name}: holds no questions")
    cells = {name: [row.get(name) for row in rows] for name in COLUMNS}
    columns = {name: column(cells[name], name, bad, 0, layout.encoding) for name in COLUMNS}
    return Parsed(columns, bad, kind="question")


def _questions(articles: list[Any], file: str) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Each question as a row, and what is wrong with it."""
    for number, article in enumerate(articles, 1):
        place = f"{file}: article {number}"
        for turn, paragraph in enumerate(_of(article, "paragraphs", place), 1):
            for question in _of(paragraph, "qas", f"{place}, paragraph {turn}"):
                yield _row(article, paragraph, question)


def _row(
    article: Mapping[str, Any], paragraph: Mapping[str, Any], question: Any
) -> tuple[Mapping[str, Any], str | None]:
    if not isinstance(question, dict):
        return {}, f"is {type(question).__name__}; an object with a question is needed"
    answers = question.get("answers")
    row = {
        "question": question.get("question"),
        "passage": paragraph.get("context"),
        "answers": [] if question.get("is_impossible") is True or answers is None else answers,
        "id": question.get("id"),
        "title": article.get("title"),
    }
    return row, None


def _of(holder: Any, name: str, place: str) -> list[Any]:
    """The list that an object holds by this name. Raises DataError."""
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{place}: holds no list {name!r}; a SQuAD file is "
            '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
        )
    return found
