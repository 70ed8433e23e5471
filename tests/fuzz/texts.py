"""Texts: every encoding but the right one, signs that are no text, and texts far too long."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.breaking import JUNK, TEXTS, broken_bytes
from fuzz.harness import Border, WrongAnswer
from multigraft.contracts.reader import Reader
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader

PLAIN = "a fine film, é è 日本語 and 🎉 with some more words to read"
LENGTH = 16
LONG = st.sampled_from([10**5, 10**6, 3 * 10**6]).flatmap(
    lambda size: st.sampled_from(
        ["x" * size, "x " * (size // 2), "日" * (size // 2), "\u0301" * size, "[CLS]" * (size // 5)]
    )
)
ENCODED = st.sampled_from(
    [
        PLAIN.encode(name, "replace")
        for name in ("utf-8", "utf-16", "utf-16-be", "utf-32", "latin-1", "utf-7", "utf-8-sig")
    ]
)
INPUTS = st.one_of(
    st.text(st.characters(categories=None), max_size=60),
    TEXTS,
    broken_bytes(ENCODED),
    ENCODED,
    st.binary(max_size=60),
    LONG,
    st.lists(st.one_of(TEXTS, JUNK), max_size=4),
    st.tuples(TEXTS, st.one_of(TEXTS, st.none(), LONG)),
    JUNK,
)


@functools.cache
def reader() -> Reader:
    """A small WordPiece that was learned from a few words."""
    learn = {"style": "bert", "tokenizer": "wordpiece", "vocabulary": 200, "lowercase": True}
    spec = {
        "kind": "text",
        "max_length": LENGTH,
        "tokenizer.json": None,
        "token_types": True,
        "learn": learn,
    }
    return TextReader(fit([PLAIN] * 20, spec))


def feed(folder: Path, raw: Any) -> None:
    """Tokens are in the vocabulary and no more than asked for; the same text gives the same
    ones."""
    row = reader().read(raw)
    ids = row["input_ids"]
    if ids.dtype != np.int64 or not 2 < len(ids) <= LENGTH or ids.min() < 0:
        raise WrongAnswer(f"{ids.dtype} {ids.shape}")
    if isinstance(raw, bytes) and not np.array_equal(ids, reader().read(raw.decode())["input_ids"]):
        raise WrongAnswer("bytes and text differ")


BORDER = Border(
    "text",
    INPUTS,
    feed,
    lambda: [PLAIN, PLAIN.encode(), (PLAIN, PLAIN)],
    prepare=lambda folder: reader(),
)
