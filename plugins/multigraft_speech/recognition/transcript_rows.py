"""Rows of transcripts: what of a text is counted, by a recipe's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft import RowError
from multigraft.errors import ColumnsError
from multigraft.runtime.answers.text_scores.normalization import normalised


def transcript_rows(row: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its ``text`` normalised, and ``written``, as it was. Raises RowError where
    nothing is left of it."""
    if "text" not in row:
        raise ColumnsError(
            f"a column text is needed, and it holds {', '.join(row)}", {"text": "sentence"}
        )
    text = row["text"]
    if not isinstance(text, str):
        raise RowError(f"holds {text!r}; text is needed", column="text")
    said = normalised(text, case=options["case"], punctuation=options["punctuation"])
    if not said:
        why = (
            "is empty" if not text.strip() else f"is {text!r}, of which normalisation keeps nothing"
        )
        raise RowError(f"{why}; leave out rows in which nothing is said", column="text")
    return {**row, "text": said, "written": " ".join(text.split())}
