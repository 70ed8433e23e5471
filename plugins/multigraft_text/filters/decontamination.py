"""Decontamination: texts that share a long run of words with a test set (Brown et al. 2020)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from multigraft import Dropped
from multigraft.errors import DataError
from multigraft_text.filters.texts import on_texts

WORD = re.compile(r"[^\W_]+")
"""Letters and digits; what is between them does not count, nor does case."""
FOUND = Dropped("shares a run of words with a test set")


def without_tests(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Drop a text that has a run of ``words`` words in common with a text of the test sets, or
    holds a shorter one of those whole. Raises DataError where they cannot be read."""
    size, shortest = options["words"], options["shortest"]
    known = {gram for text in _texts(options) for gram in runs_of_test(text, size, shortest)}
    sizes = sorted({len(gram) for gram in known})

    def judged(text: str) -> str | Dropped:
        words = words_of(text)
        hit = any(gram in known for each in sizes for gram in runs(words, each))
        return FOUND if hit else text

    return on_texts(judged)


def words_of(text: str) -> list[str]:
    """The words of a text, whatever their case and what is between them.

    >>> words_of("It's 3 o'clock!")
    ['it', 's', '3', 'o', 'clock']
    """
    return WORD.findall(text.casefold())


def runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Every run of so many words."""
    return zip(*(words[place:] for place in range(size)), strict=False)


def runs_of_test(text: str, size: int, shortest: int) -> Iterator[tuple[str, ...]]:
    """The runs of a test's text; a shorter one is a run itself, unless it is very short."""
    words = words_of(text)
    if len(words) >= size:
        yield from runs(words, size)
    elif len(words) >= shortest:
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
