"""Sentence pairs from documents, half of them following each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from multigraft.contracts.objectives import Row
from multigraft.errors import DataError

END = re.compile(r"""(?<=[.!?…])\s+|(?<=[.!?…]["'”’)\]])\s+|\n+|(?<=[。！？])""")
NEXT, RANDOM = 0, 1
"""The labels, numbered as BERT numbers them."""


def split(document: str) -> list[str]:
    """The sentences of a document, cut after end marks and at line breaks.

    >>> split("It rains. Does it? Yes!")
    ['It rains.', 'Does it?', 'Yes!']
    """
    return [sentence.strip() for sentence in END.split(document) if sentence and sentence.strip()]


def pairs(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Pair each sentence with its next one or, every other time, one of another document.

    A row has ``text``, ``text_pair``, ``next`` (0 follows, 1 does not) and its document's other
    columns. A document of one sentence only lends it to others; a value that is no text is left to
    the reader.
    """
    documents = [split(row["text"]) if isinstance(row.get("text"), str) else None for row in rows]
    lenders = [index for index, sentences in enumerate(documents) if sentences]
    if len(lenders) < 2 or all(sentences is None or len(sentences) < 2 for sentences in documents):
        raise DataError(
            f"next-sentence-prediction found {len(lenders)} documents with text, of which "
            f"{sum(len(documents[index] or ()) > 1 for index in lenders)} have two sentences or "
            "more; each split needs at least two documents, one of them so long. Is each row a "
            "whole document?"
        )
    made: list[Row] = []
    for index, (row, sentences) in enumerate(zip(rows, documents, strict=True)):
        if sentences is None:
            made.append(row)
            continue
        for first, second in pairwise(sentences):
            follows = rng.random() < 0.5
            other = second if follows else _elsewhere(documents, lenders, index, rng)
            made.append(
                {**row, "text": first, "text_pair": other, "next": NEXT if follows else RANDOM}
            )
    return made


def _elsewhere(
    documents: Sequence[list[str] | None],
    lenders: Sequence[int],
    here: int,
    rng: np.random.Generator,
) -> str:
    """A sentence of another document, each document equally probable."""
    place = int(rng.integers(len(lenders) - 1))
    lender = lenders[place] if lenders[place] < here else lenders[place + 1]
    sentences = documents[lender]
    assert sentences
    return sentences[int(rng.integers(len(sentences)))]
