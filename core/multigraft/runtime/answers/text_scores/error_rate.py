"""Error rates of words or characters: edits of the Levenshtein distance over units expected."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from multigraft.runtime.answers.text_scores.units import place_bits

SUBSTITUTED, INSERTED, DELETED, RIGHT = range(4)


def words(text: str) -> tuple[str, ...]:
    """The units of a word error rate; of phonemes that are written apart, a phoneme error rate."""
    return tuple(text.split())


def characters(text: str) -> str:
    """The units of a character error rate: all but white space at both ends."""
    return text.strip()


def edit_counts(answer: Sequence[Hashable], reference: Sequence[Hashable]) -> np.ndarray:
    """What a row adds to an error rate, int64 [4]: units substituted, inserted, deleted, right.

    They are those of one shortest way from the reference to the answer. Where several are
    shortest, what both begin and end with is right, as in rapidfuzz and jiwer.

    >>> edit_counts(words("the cat sat down"), words("a cat sat")).tolist()
    [1, 1, 0, 2]
    """
    before = _alike(answer, reference)
    answer, reference = answer[before:], reference[before:]
    behind = _alike(answer[::-1], reference[::-1])
    said = answer[: len(answer) - behind]
    expected = reference[: len(reference) - behind]
    counts = np.bincount(list(_edits(said, expected)), minlength=4).astype(np.int64)
    counts[RIGHT] += before + behind
    return counts


def error_rate(counts: np.ndarray) -> float:
    """Edits over units of the reference, of a sum of rows' counts [4]; it can be more than 1.

    Without units expected it is the number of those inserted, as in jiwer.
    """
    substituted, inserted, deleted, right = counts.tolist()
    return (substituted + inserted + deleted) / max(substituted + deleted + right, 1)


def _alike(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """How many units both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _edits(answer: Sequence[Hashable], reference: Sequence[Hashable]) -> Iterator[int]:
    """What is done to each unit, from the end; deletions before others, where each is as short."""
    steps = _columns(answer, reference)
    row, column = len(answer), len(reference)
    while row and column:
        more, less = steps[row - 1][0], steps[row - 2][1] if row > 1 else 0
        last = 1 << (column - 1)
        if more & last:
            yield DELETED
            column -= 1
        elif less & last:
            yield INSERTED
            row -= 1
        else:
            row, column = row - 1, column - 1
            yield RIGHT if answer[row] == reference[column] else SUBSTITUTED
    yield from [INSERTED] * row + [DELETED] * column


def _columns(answer: Sequence[Hashable], reference: Sequence[Hashable]) -> list[tuple[int, int]]:
    """After each unit of the answer: where the distance goes up by one along the reference, and
    where down by one, as bits (Myers 1999, in the form of Hyyrö 2003)."""
    bits, every = place_bits(reference), (1 << len(reference)) - 1
    more, less, found = every, 0, []
    for unit in answer:
        same = bits.get(unit, 0)
        level = ((same & more) + more ^ more | same | less) & every
        up = less | ~(level | more) & every
        down = more & level
        up = (up << 1 | 1) & every
        more = (down << 1 | ~(level | up)) & every
        less = up & level
        found.append((more, less))
    return found
