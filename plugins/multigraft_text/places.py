"""Token places: which characters of a text each token is of, and what was cut off around a row."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays

PLAIN = "\u02ff"
"""The last sign before those that are put on others."""
NOWHERE = -1
"""The word of a token that is of none: a special one, or one of nothing but spaces."""


def token_places(encoding: Any, texts: Sequence[str]) -> np.ndarray:
    """[T, 3] int64: a token's first character, the one after its last, and its word, or -1.

    Spaces around a token are left out, and an accent that is a sign of its own belongs to the
    letter before it, as some tokenizers drop it. Words are those of the tokenizer's first cut,
    which BERT's makes at punctuation too. Of a pair, characters and words count in the text of
    each.
    """
    marked = zip(encoding.offsets, encoding.word_ids, encoding.sequence_ids, strict=True)
    found = [
        (0, 0, NOWHERE)
        if word is None or text is None
        else _trimmed(texts[text], first, after, word)
        for (first, after), word, text in marked
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _trimmed(text: str, first: int, after: int, word: int) -> tuple[int, int, int]:
    while first < after and text[first].isspace():
        first += 1
    while first < after and text[after - 1].isspace():
        after -= 1
    while after < len(text) and text[after] > PLAIN and unicodedata.combining(text[after]):
        after += 1
    return (first, after, word) if first < after else (first, after, NOWHERE)


def own_tokens(encoding: Any) -> int:
    """The number of tokens that are the value's own: none of those that stand around it."""
    return len(encoding.ids) - sum(encoding.special_tokens_mask)


def cut_off(start: int, rest: int) -> Arrays:
    """``start`` and ``rest``: the value's tokens before this row, and behind it."""
    return {"start": np.array(start, dtype=np.int64), "rest": np.array(rest, dtype=np.int64)}
