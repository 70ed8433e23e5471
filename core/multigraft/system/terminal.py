"""Terminal sanitising: words from anywhere as a terminal may show them."""

from __future__ import annotations

import re

CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Signs that move the cursor, recolour the screen, reach the clipboard or turn the reading
direction; and half surrogates, which stand for bytes of a name that is no text."""
LAYOUT = re.compile(r"\r|\x1b\[(?:[0-9;]*[mAK]|\?25[lh])")
"""What progress bars are made of: colours, a line up, a line erased, the cursor hidden and
shown."""


def harmless(text: str) -> str:
    """A text with its control characters as their codes; lines and tabs stay.

    >>> harmless("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], text)


def laid_out(text: str) -> str:
    """A library's own output, made harmless but for what lays it out.

    >>> laid_out("\\r\\x1b[32m50%\\x1b[0m\\x1b]52;c;eA==\\x07")
    '\\r\\x1b[32m50%\\x1b[0m\\\\x1b]52;c;eA==\\\\x07'
    """
    kept = LAYOUT.findall(text)
    parts = [harmless(part) for part in LAYOUT.split(text)]
    return parts[0] + "".join(sign + part for sign, part in zip(kept, parts[1:], strict=True))


def escaped_json(text: str) -> str:
    """JSON with the same signs as JSON's own escapes: what is read from it is unchanged.

    >>> escaped_json('"a\\x9b2Jb"')
    '"a\\\\u009b2Jb"'
    """
    return CONTROL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
