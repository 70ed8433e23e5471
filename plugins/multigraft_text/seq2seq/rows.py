"""Rows of texts with texts: the columns of a translation, and made-up rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.errors import ColumnsError


def translation_rows(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with ``text`` and ``target``, of one with ``source`` and ``target``.

    Raises ColumnsError where there is no source.
    """
    if "source" not in row and "text" not in row:
        answered = "target" in row and row["target"] is None  # or its target is empty
        what = "the column source is" if answered else "two columns are needed: source and target"
        held = ", ".join(name for name in row if not (answered and name == "target"))
        names = {"source": "en"} if answered else {"source": "en", "target": "pt"}
        told = f"{what} needed" if answered else what
        raise ColumnsError(f"{told}; it holds {held}", names)
    kept = {name: value for name, value in row.items() if name not in ("source", "text_pair")}
    return {**kept, "text": row["source"] if "source" in row else row["text"]}


def target_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Of made-up texts, the last words."""
    del rng
    return {"target": [_last_words(raw) for raw in raws]}


def summary_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """The same as summaries."""
    del rng
    return {"summary": [_last_words(raw) for raw in raws]}


def _last_words(raw: Any) -> str:
    return " ".join(str(raw).split()[-3:])
