"""Headers of sounds: what no file may claim to hold, and one that holds less than it claims."""

from __future__ import annotations

import re

from multigraft.errors import RowError

RATES = range(1000, 768_001)
"""Sample rates a header may name; others are a broken or hostile file."""
MAX_CHANNELS = 64
CUT_OFF = (
    re.compile(
        r"^ *(?:data|SSND|riff|Data Size) *: (?P<declared>\d+) \(should be (?P<found>\d+)\)",
        re.MULTILINE,
    ),
    re.compile(
        r"frame count (?P<found>\d+) does not match value from 'ds64' chunk of (?P<declared>\d+)"
    ),
)
"""What libsndfile notes of a sound that ends before its header says."""
STREAMED = 2**31 - 2**16
"""Sizes from here on are placeholders of programs that wrote to a pipe: the file's end counts."""


def check_header(rate: int, channels: int) -> None:
    """Raise RowError for a sound that no file should claim to hold."""
    if rate not in RATES:
        raise RowError(f"a rate of {rate} Hz; {RATES[0]} to {RATES[-1]} can be read")
    if channels > MAX_CHANNELS:
        raise RowError(f"{channels} channels; at most {MAX_CHANNELS} can be read")


def check_whole(notes: str) -> None:
    """Raise RowError for a sound that was cut off: libsndfile reads what is left of it, and only
    its notes tell."""
    for pattern in CUT_OFF:
        for note in pattern.finditer(notes):
            found, declared = int(note["found"]), int(note["declared"])
            if found < declared < STREAMED:
                raise RowError(
                    f"is cut off: {found / declared:.0%} of what its header says is there"
                )
