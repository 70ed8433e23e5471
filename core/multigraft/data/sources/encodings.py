"""Encoding errors: what to tell a person whose file of text is in another encoding."""

from __future__ import annotations

import codecs
from pathlib import Path

BLOCK = 2**20
AROUND = 24
"""Bytes before and after the first that cannot be decoded, which are shown as they may be meant."""
GUESS = "cp1252"
"""What Windows and Excel write in western Europe; it has a letter for nearly every byte."""


def other_encoding(path: Path, encoding: str) -> str | None:
    """Advise on a file with bytes that are not of its encoding; None where all are."""
    where = _first_undecodable(path, encoding)
    if where is None:
        return None
    with path.open("rb") as file:
        file.seek(max(0, where - AROUND))
        shown = file.read(2 * AROUND).replace(b"\r", b"\n")
    line = max(shown.split(b"\n"), key=lambda each: sum(byte > 127 for byte in each)).decode(
        GUESS, "replace"
    )
    return (
        f"is not {encoding} throughout: save it so, or set data.encoding to what it was written "
        f"in. As {GUESS} it says {line.strip()!r}: where that is right, set data.encoding: "
        f"{GUESS}; others are cp1250, cp1251, gb18030, shift_jis"
    )


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """The place of the first byte that is not of the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return read - held + error.start
            read += len(block)
    return None
