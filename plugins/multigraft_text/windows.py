"""Overlapping windows of a text that is longer than a backbone takes."""

from __future__ import annotations

from tokenizers import Tokenizer

OVERLAP = 4
"""A window shares one part in this many of its tokens with the one before."""


def overlapping(tokenizer: Tokenizer, max_length: int) -> Tokenizer:
    """Copy a tokenizer whose encodings overflow into windows: truncation is its state."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(max_length, stride=max_length // OVERLAP)
    return own
