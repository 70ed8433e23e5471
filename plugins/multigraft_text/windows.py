"""A text that is longer than a backbone takes, as windows that overlap."""

from __future__ import annotations

from tokenizers import Tokenizer

OVERLAP = 4
"""A window shares one part in this many of its tokens with the one before."""


def overlapping(tokenizer: Tokenizer, max_length: int) -> Tokenizer:
    """A tokenizer of its own, whose encodings overflow into windows: truncation is a tokenizer's
    state."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(max_length, stride=max_length // OVERLAP)
    return own
