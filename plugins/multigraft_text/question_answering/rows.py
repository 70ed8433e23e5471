"""Rows of questions: a question, the passage, and where its answers stand in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import ColumnsError, DataError, shown
from multigraft_text.cleaning import clean

Place = dict[str, Any]
"""``text`` and ``start``, in characters of the passage."""
QUESTION, PASSAGE = ("question", "text"), ("passage", "context", "text_pair")
"""The columns that may hold each, the first that is there."""
STARTS = ("start", "answer_start")


def question_rows(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with ``text``, the question, ``text_pair``, the passage, and ``answers``, in order.

    Raises RowError for a text that cannot be read, and for an answer that does not stand in the
    passage where it says.
    """
    question, passage = _text(row, QUESTION), _text(row, PASSAGE)
    if "answers" not in row:
        raise ColumnsError(
            f"the column answers is needed, empty where there is none; it holds {', '.join(row)}",
            {"answers": "gold"},
        )
    answers = [_checked(each, passage) for each in _listed(row["answers"])]
    kept = {name: value for name, value in row.items() if name not in (*QUESTION, *PASSAGE)}
    return {**kept, "text": question, "text_pair": passage, "answers": answers}


def question_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The characters of the longest answer, and whether questions may be without one.

    >>> question_spec({"answers": [[{"text": "Rome", "start": 0}], []]})
    {'longest': 4, 'unanswerable': True}
    """
    cells = [cell for cell in columns["answers"] if cell is not None]
    longest = max((len(each["text"]) for cell in cells for each in cell), default=0)
    if not longest:
        raise DataError("no training row has an answer; there is nothing to learn")
    return {"longest": longest, "unanswerable": not all(cells)}


def question_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Of made-up questions, passages of two of them, and in most of these a word as the answer."""
    passages = [f"{raws[number - 1]} {raw}" for number, raw in enumerate(raws)]
    return {"text_pair": passages, "answers": [_sampled(rng, each) for each in passages]}


def _sampled(rng: np.random.Generator, passage: str) -> list[Place]:
    words = passage.split(" ")
    number = int(rng.integers(0, len(words)))
    if rng.random() < 0.2:
        return []
    start = sum(len(word) + 1 for word in words[:number])
    return [{"text": words[number], "start": start}]


def _text(row: Mapping[str, Any], names: Sequence[str]) -> str:
    name = next((name for name in names if row.get(name) is not None), None)
    if name is None:
        empty = any(each in row for each in names)
        told = "is empty" if empty else f"is missing; the row holds {', '.join(row)}"
        raise RowError(told, column=names[0])
    try:
        return clean(row[name])
    except RowError as error:
        raise RowError(str(error), column=name) from error


def _listed(cell: Any) -> list[Any]:
    """The answers in a cell: objects, one of them, an object of lists, or any as JSON; an empty
    cell has none."""
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise _wrong(f"is no JSON: {error}") from error
    if isinstance(cell, dict):
        cell = [cell] if isinstance(cell.get("text"), str) else _turned(cell)
    if cell is None or cell == "":
        return []
    if not isinstance(cell, list | tuple) or not all(isinstance(each, dict) for each in cell):
        raise _wrong('is no list of objects, as [{"text": "Rome", "start": 17}]')
    return list(cell)


def _turned(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists of texts and of starts as one list of answers."""
    starts = next((cell[name] for name in STARTS if name in cell), None)
    texts = cell.get("text")
    lists = [list(each) for each in (texts, starts) if isinstance(each, list | tuple | np.ndarray)]
    if len(lists) < 2 or len(lists[0]) != len(lists[1]):
        raise _wrong('is no {"text": [...], "answer_start": [...]} with as many of both')
    return [{"text": text, "start": start} for text, start in zip(*lists, strict=True)]


def _checked(answer: Mapping[str, Any], passage: str) -> Place:
    """One answer, without spaces at its ends. Raises RowError."""
    text = answer.get("text")
    start = next((answer[name] for name in STARTS if name in answer), None)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(f"has an answer without text: {shown(str(text))}")
    if isinstance(start, bool) or not isinstance(start, int | np.integer):
        raise _wrong(f"has for {shown(text)} the start {start!r}; a whole number is needed")
    if not 0 <= start <= len(passage) - len(text):
        raise _wrong(
            f"has {shown(text)} at {start} to {start + len(text)}, and the passage {len(passage)} "
            "characters"
        )
    stands = passage[start : start + len(text)]
    if stands != text:
        raise _wrong(f"has {shown(text)} at {start}, where the passage has {shown(stands)}")
    return {"text": text.strip(), "start": int(start) + len(text) - len(text.lstrip())}


def _wrong(what: str) -> RowError:
    return RowError(what, column="answers")
