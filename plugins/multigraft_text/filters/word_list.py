"""Word list: words that a person names, masked, or dropped with their text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft import Dropped
from multigraft.errors import DataError
from multigraft.system.files import expanded, open_plain
from multigraft_text.filters.texts import literal, on_texts

LONGEST = 2**24
"""Bytes of a file of words."""
MANY = Dropped("too many words of the list")


def judge_of_words(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Mask each word of the list, whatever its case; drop a text with more than ``most`` of them.

    Raises DataError where the file of words cannot be read, or there are none.
    """
    pattern = _pattern([*_listed(options["words"]), *_file_words(options["file"])])
    word, most = literal(options["word"]), options["most"]

    def judged(text: str) -> str | Dropped:
        masked, count = pattern.subn(word, text)
        return MANY if most is not None and count > most else masked

    return on_texts(judged)


def _listed(words: Any) -> list[str]:
    given = [words] if isinstance(words, str) else list(words or ())
    return [word for word in given if word.strip()]


def _file_words(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        with open_plain(expanded(name), limit=LONGEST) as file:
            lines = file.read().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"mask-words: {name}: cannot be read: {error}") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _pattern(words: list[str]) -> re.Pattern[str]:
    if not words:
        raise DataError("mask-words: names no words; give words: [...], or file: a word a line")
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    each = "|".join(r"\s+".join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(rf"(?<!\w)(?:{each})(?!\w)", re.I)
