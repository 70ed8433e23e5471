"""Previews: what a page shows of a value that is no text, a small picture or a short sound."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 2**18
"""Bytes of one that are put into a page; of a larger one the name stands there."""
STARTS = {
    "image/jpeg": b"\xff\xd8",
    "image/png": b"\x89PNG",
    "audio/flac": b"fLaC",
    "audio/wav": b"RIFF",
}
"""How files of each kind begin."""


@dataclass(frozen=True)
class Preview:
    """A picture or a sound that a browser shows without anything else."""

    kind: str
    """One of `STARTS`."""
    content: bytes
    """The file."""
    told: str = ""
    """What is said of it, as ``640 x 480 pixels``, or ``the first 5 of 30 s``."""

    def __post_init__(self) -> None:
        if self.kind not in STARTS:
            raise ValueError(f"a preview is {', '.join(STARTS)}, not {self.kind!r}")
