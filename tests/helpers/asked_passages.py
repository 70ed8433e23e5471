"""Questions of passages that a tiny network learns: which city, or which year, stands in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

CITIES = ("Oslo", "Rome", "New York", "Lima", "Kyoto")
YEARS = ("1843", "1906", "1969", "2001")
FILLER = "the people of that long green river went out with some music and came back again".split()
QUESTIONS = {"Which city is it?": CITIES, "Which year is it?": YEARS}

Row = dict[str, Any]


def questions(count: int, *, seed: int = 1, longest: int = 18, answered: float = 0.75) -> list[Row]:
    """Rows of ``question``, ``context``, ``answers``; a share is without an answer."""
    rng = np.random.default_rng(seed)
    return [
        _row(rng, int(rng.integers(6, longest + 1)), rng.random() < answered) for _ in range(count)
    ]


def renamed(rows: Sequence[Row], old: str, new: str) -> list[Row]:
    """The rows with another name of as many letters, which stands where the old one stood."""
    assert len(old) == len(new)
    found: list[Row] = json.loads(json.dumps(rows).replace(old, new))
    return found


def _row(rng: np.random.Generator, words: int, answered: bool) -> Row:
    said = rng.choice(FILLER, words).tolist()
    question = str(rng.choice(list(QUESTIONS)))
    places = sorted(rng.choice(words, 2, replace=False).tolist())
    found = []
    for place, (asked, names) in zip(rng.permutation(places), QUESTIONS.items(), strict=True):
        if asked != question or answered:
            said[int(place)] = str(rng.choice(names))
        if asked == question and answered:
            found.append(int(place))
    answers = [
        {"text": said[place], "start": sum(len(word) + 1 for word in said[:place])}
        for place in found
    ]
    return {"question": question, "context": " ".join(said), "answers": answers}


def write_squad(path: Path, rows: Sequence[Row]) -> Path:
    """A file of SQuAD 2.0: an article with a paragraph for each row."""
    paragraphs = [
        {
            "context": row["context"],
            "qas": [
                {
                    "id": str(number),
                    "question": row["question"],
                    "is_impossible": not row["answers"],
                    "answers": [
                        {"text": each["text"], "answer_start": each["start"]}
                        for each in row["answers"]
                    ],
                }
            ],
        }
        for number, row in enumerate(rows)
    ]
    path.write_text(
        json.dumps({"version": "v2.0", "data": [{"title": "x", "paragraphs": paragraphs}]})
    )
    return path


def write_lines(path: Path, rows: Sequence[Row]) -> Path:
    """The same rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_questions(folder: Path, rows: int) -> Path:
    """So many rows, whose passages are longer than a short row."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_lines(folder / "asked.jsonl", questions(rows, longest=40))
