"""Encodings: which one a file of text is in, and what to tell a person where that is unsure."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

BLOCK = 2**20
AROUND = 24
"""Bytes before and after the first that cannot be decoded, which are shown as they may be meant."""
GUESS = "cp1252"
"""What Windows and Excel write in western Europe, and Latin-1 with more signs."""
OTHERS = (GUESS, "cp1250", "cp1251", "gb18030", "shift_jis")
BROKEN = "\ufffd"
"""What stands for bytes that are not of an encoding."""
ASCII = bytes(range(128))
LOOKED = 2**24
"""Bytes of a file by which its encoding is judged."""
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The longer ones first: the mark of UTF-32 begins as that of UTF-16 does."""
WIDE_START = 4096
WIDE_SHARE = 0.4
"""The share of NULs at every other place from which a file is UTF-16 of letters below U+0100."""
SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
"""A sign of UTF-8 beyond ASCII."""
WORD = re.compile(r"\w*[^\W\d_\x00-\x7f]\w*")
"""A word with a letter beyond ASCII."""
ODD = re.compile(
    r"[^\W\d_\x00-\x7f]{4}"  # letters beyond ASCII alone, as of Cyrillic read in cp1252
    r"|[a-zß-ÿ][À-ÞŒŠŽŸ]"  # a capital behind a small letter
)
WITHIN = re.compile(r"[^\W\d_][¡-¿‚„†‡ˆ‰‹•˜›×÷][^\W\d_]")
"""A sign within a word that no western language has there."""
ALLOWED_ODD = 0.05


def by_mark(path: Path) -> str | None:
    """The encoding that a file's first bytes tell: UTF-16 and UTF-32; None where they do not."""
    with path.open("rb") as file:
        start = file.read(WIDE_START)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    even, odd = (start[place::2].count(0) / max(1, len(start) / 2) for place in (0, 1))
    if odd > WIDE_SHARE > even:
        return "utf-16-le"
    return "utf-16-be" if even > WIDE_SHARE > odd else None


def western(path: Path) -> str | None:
    """`GUESS` where a file that is not UTF-8 reads as a western language in it; else None.

    It does where its signs beyond ASCII are single letters in words, as languages of western Europe
    have them, and hardly any of them are a sign of UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(LOOKED)
    sequences = SEQUENCE.findall(content)
    others = len(content.translate(None, ASCII)) - sum(map(len, sequences))
    if 0 in content or others <= len(sequences):
        return None
    try:
        text = content.decode(GUESS)
    except UnicodeDecodeError:
        return None
    words = WORD.findall(text)
    odd = sum(ODD.search(word) is not None for word in words) + len(WITHIN.findall(text))
    return GUESS if odd <= ALLOWED_ODD * max(1, len(words)) else None


def read_as(path: Path, encoding: str) -> str:
    """Tell in which encoding a file is read, with what it then says."""
    if encoding != GUESS:
        return f"is read as {encoding}, which its first bytes tell"
    line = _line(path, _first_undecodable(path, "UTF-8") or 0, encoding)
    return (
        f"is no UTF-8, and is read as {encoding}, in which it says {line!r}; where that is wrong, "
        "set data.encoding"
    )


def other_encoding(path: Path, encoding: str) -> str | None:
    """Advise on a file with bytes that are not of its encoding; None where all are."""
    where = _first_undecodable(path, encoding)
    if where is None:
        return None
    head = f"is not {encoding} throughout: save it so, or set data.encoding to what it was written"
    others = {each: _line(path, where, each) for each in OTHERS}
    if western(path) is None and (told := [each for each in others if BROKEN not in others[each]]):
        shown = ", ".join(f"as {each} {others[each]!r}" for each in told)
        return f"{head} in. It says {shown}: set data.encoding to the one that is right"
    return (
        f"{head} in. As {GUESS} it says {others[GUESS]!r}: where that is right, set "
        f"data.encoding: {GUESS}; others are {', '.join(OTHERS[1:])}"
    )


def _line(path: Path, where: int, encoding: str) -> str:
    """A line around a place in a file, in some encoding: the one with most beyond ASCII."""
    with path.open("rb") as file:
        file.seek(max(0, where - AROUND))
        shown = file.read(2 * AROUND).replace(b"\r", b"\n")
    line = max(shown.split(b"\n"), key=lambda each: sum(byte > 127 for byte in each))
    return line.decode(encoding, "replace").strip()


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
