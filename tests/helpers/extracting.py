"""Span extraction without a network: its objective, with a reader of a small vocabulary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from multigraft import Brief
from multigraft_text.learning import fit
from multigraft_text.question_answering.extraction import QuestionAnswering
from multigraft_text.reader import TextReader

QUESTION = "How often did it run?"


def engine_passage(years: int) -> str:
    """A sentence a year, each with other numbers."""
    return " ".join(
        f"In {1800 + year} the engine ran {year} times for Ada." for year in range(years)
    )


def objective(length: int = 40) -> tuple[QuestionAnswering, TextReader]:
    """Both, for rows of at most so many tokens."""
    learn = {"style": "bert", "tokenizer": "wordpiece", "vocabulary": 400, "lowercase": True}
    spec: dict[str, Any] = {"kind": "text", "max_length": length, "tokenizer.json": None}
    spec |= {"token_types": True, "learn": learn, "passage": True}
    reader = TextReader(fit([(QUESTION, engine_passage(30))], spec))
    targets = {"longest": 20, "unanswerable": True}
    backbone: Any = SimpleNamespace(width=4)
    brief = Brief(
        backbone=backbone, reader=reader, targets=targets, options={"dropout": 0.0}, modality="text"
    )
    return QuestionAnswering(brief), reader
