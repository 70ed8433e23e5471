"""Normalisation of transcripts: what of a text is counted, by rules of case and punctuation."""

from __future__ import annotations

import unicodedata

APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})
WORD_MARK = "|"
"""What stands for a space in vocabularies of CTC models, and so is no character of a text."""


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
