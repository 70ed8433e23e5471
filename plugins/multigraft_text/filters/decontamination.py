"""Decontamination: texts that share a long run of words with a test set (Brown et al. 2020)."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from multigraft import Dropped
from multigraft.errors import DataError
from multigraft_text.filters.texts import on_texts

SIGN = r"\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
"""Kana and characters of Chinese, which are written without blanks: each is looked at alone."""
SIGNS = re.compile(f"[{SIGN}]")
SIGNS_A_WORD = 2
FOUND = "shares a run of words with a test set"


def without_tests(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Drop a text that has a run of ``words`` words in common with a text of the test sets, or
    holds a shorter one of those whole. Raises DataError where they cannot be read, or all are too
    short to be looked for."""
    size, shortest = options["words"], options["shortest"]
    tests = list(_texts(options))
    known = {gram for text in tests for gram in runs_of_test(text, size, shortest)}
    sizes = sorted({len(gram) for gram in known})
    if not known:
        raise DataError(
            f"decontaminate: none of {len(tests):,} tests has {shortest} words, so that nothing "
            "would be found; lower shortest"
        )

    def judged(text: str) -> str | Dropped:
        words = words_of(text)
        found = (gram for each in sizes for gram in runs(words, each) if gram in known)
        hit = next(found, None)
        return text if hit is None else Dropped(FOUND, f"{FOUND}: {' '.join(hit)}")

    return on_texts(judged)


def left_out(options: Mapping[str, Any]) -> list[str]:
    """How many tests are too short to be looked for."""
    size, shortest = options["words"], options["shortest"]
    found = [next(runs_of_test(text, size, shortest), None) for text in _texts(options)]
    if not (short := found.count(None)):
        return []
    return [
        f"decontaminate: {short:,} of {len(found):,} tests have fewer than {shortest} words, and "
        "are not looked for; lower shortest, or take them out as exact duplicates"
    ]


def words_of(text: str) -> list[str]:
    """The words of a text, whatever their case and what is between them.

    >>> words_of("It's 3 o'clock!"), words_of("काम です")
    (['it', 's', '3', 'o', 'clock'], ['काम', 'で', 'す'])
    """
    return _word().findall(text.casefold())


@functools.cache
def _word() -> re.Pattern[str]:
    """Letters, with the signs of vowels and tones that belong to them, and digits."""
    marks = (chr(code) for code in range(0x300, 0x10000))
    marked = "".join(sign for sign in marks if unicodedata.category(sign)[0] == "M")
    return re.compile(rf"[{SIGN}]|(?:(?![{SIGN}])[^\W_]|[{marked}])+")


def runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Every run of so many words."""
    return zip(*(words[place:] for place in range(size)), strict=False)


def runs_of_test(text: str, size: int, shortest: int) -> Iterator[tuple[str, ...]]:
    """The runs of a test's text; a shorter one is a run itself, unless it is very short."""
    words = words_of(text)
    signs = sum(SIGNS.fullmatch(word) is not None for word in words)
    times = SIGNS_A_WORD if 2 * signs > len(words) else 1
    if len(words) >= times * size:
        yield from runs(words, times * size)
    elif len(words) >= times * shortest:
        yield tuple(words)


def _texts(options: Mapping[str, Any]) -> Iterator[str]:
    """The texts of the test sets."""
    from multigraft.data.sources.load import load_table
    from multigraft_text import TEXT

    sources = options["against"]
    if not sources:
        raise DataError("decontaminate: names no test set; give against: test.jsonl, or a list")
    for source in [sources] if isinstance(sources, str) else sources:
        table = load_table(source, modality=TEXT, columns={}, raw=False, lists=None)
        if options["test_column"] not in table.columns:
            raise DataError(
                f"decontaminate: {source}: there is no column {options['test_column']!r}; set "
                f"test_column to one of {', '.join(table.columns)}"
            )
        yield from (text for text in table.cells(options["test_column"]) if isinstance(text, str))
