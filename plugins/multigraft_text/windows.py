"""Overlapping windows of a text that is longer than a backbone takes."""

from __future__ import annotations

from tokenizers import Tokenizer

OVERLAP = 4
"""A window shares one part in this many of its tokens with the one before."""


def step_of(max_length: int, frame: int) -> int:
    """How many of a text's tokens lie between the beginnings of two windows, around each of which
    stand ``frame`` special ones."""
    return max_length - frame - max_length // OVERLAP


def overlapping(tokenizer: Tokenizer, max_length: int) -> Tokenizer:
    """Copy a tokenizer whose encodings overflow into windows: truncation is its state."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(max_length, stride=max_length // OVERLAP)
    return own
