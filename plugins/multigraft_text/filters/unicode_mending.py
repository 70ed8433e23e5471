"""Unicode mending: text that was decoded wrongly is put right, and written in one form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import on_texts

SPACES = re.compile(r"[^\S\n]+")
"""Runs of anything blank but line feeds."""
BLANK_LINES = re.compile(r"\n{3,}")


def mended(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Mend what was decoded as another encoding, HTML entities, control characters and line ends
    (ftfy), and write letters with their accents as one sign (NFC, Unicode Annex 15).

    Signs keep their width: full-width punctuation is that of Chinese and Japanese."""
    from ftfy import TextFixerConfig, fix_text

    settings = TextFixerConfig(
        normalization=options["form"],
        uncurl_quotes=options["straight_quotes"],
        fix_character_width=False,  # full width is how Chinese and Japanese are written
        explain=False,
    )
    return on_texts(lambda text: fix_text(text, settings))


def spaced(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """One space where there are several, at most one blank line, none at the ends."""
    del options

    def one_space(text: str) -> str:
        lines = [SPACES.sub(" ", line).strip() for line in text.split("\n")]
        return BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()

    return on_texts(one_space)
