"""SentencePiece files as their own library trains them, on this project's pages."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece as spm

ROOT = Path(__file__).parents[3]
Train = Callable[..., Any]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """At least 500 lines that people wrote, with marks, code, accents and links."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line.strip() and len(line) < 400][:800]
    assert len(found) >= 500
    return [
        *found,
        " two  spaces\tand a tab ",
        "caf\u00e9, ma\u00e7\u00e3 \u2460 \uff21 \u2026 \u65e5\u672c",
    ]


@pytest.fixture(scope="session")
def train(texts: Sequence[str]) -> Train:
    """A function that trains a file: settings -> its library's processor."""
    made: dict[Any, Any] = {}

    def of(**settings: Any) -> Any:
        key = tuple(sorted(settings.items()))
        if key not in made:
            written = io.BytesIO()
            lines = texts[:: settings.pop("every", 1)]
            spm.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=written,
                minloglevel=2,
                **{"vocab_size": 500, "model_type": "unigram", **settings},
            )
            made[key] = spm.SentencePieceProcessor(model_proto=written.getvalue())
        return made[key]

    return of
