"""Normalisation of transcripts: what of a text is learned and counted, by a recipe's rules."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from multigraft import RowError

CASES = ("lower", "upper", "keep")
PUNCTUATION = ("drop", "keep")
APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})
WORD_MARK = "|"
"""What stands for a space in vocabularies of CTC models, and so is no character of a text."""


def transcript_rows(row: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its ``text`` normalised. Raises RowError where nothing is left of it."""
    if "text" not in row:
        raise RowError(
            f"a column text is needed, and it holds {', '.join(row)}: data.columns maps names, as "
            "{text: sentence}"
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
    return {**row, "text": said}


def normalised(text: str, *, case: str, punctuation: str) -> str:
    """A transcript in Unicode's composed form, its words with one space between them.

    >>> normalised(" It\u2019s  twenty-two, Zo\u0065\u0308!", case="lower", punctuation="drop")
    "it's twenty two zo\u00eb"
    >>> normalised("Yes?", case="keep", punctuation="keep")
    'Yes?'
    """
    text = unicodedata.normalize("NFC", text).translate(APOSTROPHES).replace(WORD_MARK, " ")
    if case != "keep":
        text = unicodedata.normalize("NFC", text.lower() if case == "lower" else text.upper())
    if punctuation == "drop":
        text = "".join(_kept(text, place) for place in range(len(text)))
    return " ".join(text.split())


def _kept(text: str, place: int) -> str:
    """A letter, a digit, a mark, or an apostrophe within a word; a space for all else."""
    sign = text[place]
    if unicodedata.category(sign)[0] in "LMN":
        return sign
    within = (
        sign == "'"
        and text[max(place - 1, 0) : place].isalpha()
        and text[place + 1 : place + 2].isalpha()
    )
    return sign if within else " "
