"""Whole words and spans of words, for masking more than single tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from multigraft import MultigraftError
from multigraft.contracts.types import Spec
from multigraft_text.token_ids import token_ids

MOST_WORDS = 10
"""The longest span, in words (Joshi et al. 2020, section 3.1)."""
BEGINNINGS: Mapping[str, str] = {"Metaspace": "\u2581", "ByteLevel": "\u0120"}
"""What a word's first token begins with, by the kind of pre-tokenizer."""


def word_beginnings(spec: Spec) -> np.ndarray:
    """Which tokens of a tokenizer begin a word: [V] bool, by id. Raises MultigraftError where its
    tokens do not say."""
    tokenizer, ids = spec["tokenizer.json"], token_ids(spec)
    begins = np.ones(max(ids.values()) + 1, dtype=bool)
    inner = tokenizer["model"].get("continuing_subword_prefix")
    outer = next((BEGINNINGS[kind] for kind in _kinds(tokenizer) if kind in BEGINNINGS), None)
    if not inner and outer is None:
        raise MultigraftError(
            "task.unit: whole words and spans need a tokenizer whose tokens say where words begin "
            "(WordPiece, byte-level BPE, SentencePiece); use unit: token, or other weights"
        )
    for token, number in ids.items():
        begins[number] = token.startswith(outer) if outer else not token.startswith(inner)
    return begins


def words_of(
    ids: np.ndarray, plain: np.ndarray, segments: np.ndarray, begins: np.ndarray
) -> np.ndarray:
    """The number of each token's word in the batch, -1 where it is not ``plain``: [B, T] each.

    A token that says it goes on begins a word nonetheless behind a special one or another segment.
    """
    before = np.zeros_like(plain)
    before[:, 1:] = plain[:, :-1] & (segments[:, 1:] == segments[:, :-1])
    first = plain & (begins[ids] | ~before)
    number = first.ravel().cumsum().reshape(ids.shape) - 1
    return np.where(plain, number, -1)


def draw_by_word(words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A uniform draw for each word, at each of its tokens; infinite outside words: [B, T]."""
    draws = np.append(rng.random(int(words.max(initial=-1)) + 1), np.inf)
    return draws[words]  # -1 is the last


def spans(
    words: np.ndarray, segments: np.ndarray, share: float, length: float, rng: np.random.Generator
) -> np.ndarray:
    """The number of the span that each token is in, -1 where in none: [B, T].

    Lengths in words are geometric with the mean ``length``, before they are cut to `MOST_WORDS`;
    spans are drawn until ``share`` of a segment's tokens are in one, at least one token.
    """
    found = np.full(words.shape, -1)
    count = 0
    for row in range(len(words)):
        for segment in np.unique(segments[row][words[row] >= 0]):
            places = np.flatnonzero((segments[row] == segment) & (words[row] >= 0))
            wanted = max(1, round(share * len(places)))
            for chosen in _spans_of(words[row][places], wanted, length, rng):
                found[row][places[chosen]] = count
                count += 1
    return found


def _spans_of(
    words: np.ndarray, wanted: int, length: float, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Spans of one text's words, none of a token that is in one already."""
    first, last = int(words[0]), int(words[-1])
    taken = np.zeros(len(words), dtype=bool)
    while taken.sum() < wanted:
        size = min(int(rng.geometric(1 / length)), MOST_WORDS, last - first + 1)
        start = int(rng.integers(first, last - size + 2))
        before = taken.copy()
        for word in range(start, start + size):  # of the last span as many words as are wanted
            if taken.sum() < wanted:
                taken |= words == word
        if (taken != before).any():
            yield taken & ~before


def _kinds(tokenizer: Mapping[str, Any]) -> Iterator[str]:
    """The types of a tokenizer's pre-tokenizers."""
    step = tokenizer.get("pre_tokenizer") or {}
    for each in [step, *step.get("pretokenizers", [])]:
        yield str(each.get("type"))
