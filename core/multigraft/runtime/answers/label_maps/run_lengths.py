"""Run lengths of masks as COCO writes them: column by column, of 0 and 1 in turn, 0 first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BITS, MORE, SIGN, FIRST = 5, 0x20, 0x10, 48
"""Of one letter: its bits, whether another follows, whether the number is negative, and the letter
of 0."""
CODE = "a text, or a list of whole numbers from 0"


def lengths_of(mask: np.ndarray) -> list[int]:
    """The run lengths of a mask [H, W].

    >>> lengths_of(np.array([[0, 1], [1, 1]]))
    [1, 3]
    """
    flat = np.asarray(mask, dtype=bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0], changes, [flat.size]])
    lengths: list[int] = np.diff(ends).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def mask_of(lengths: Sequence[int], height: int, width: int) -> np.ndarray:
    """A mask, bool [H, W]. Raises ValueError where the lengths are of another size.

    >>> mask_of([1, 3], 2, 2).tolist()
    [[False, True], [True, True]]
    """
    if any(type(each) is not int or each < 0 for each in lengths):
        raise ValueError(f"its run lengths are {CODE}")
    if sum(lengths) != height * width:
        raise ValueError(
            f"its run lengths are of {sum(lengths)} pixels, and {width} x {height} are needed"
        )
    turns = np.arange(len(lengths)) % 2 == 1
    found: np.ndarray = np.repeat(turns, np.array(lengths, dtype=np.int64))
    return found.reshape(width, height).T


def to_text(lengths: Sequence[int]) -> str:
    """COCO's compressed form: from the fourth on each number is told as the difference to the one
    two before, five bits a letter.

    >>> to_text([6, 1, 40, 4, 5, 4])
    '61X13mN0'
    """
    letters = []
    for place, length in enumerate(lengths):
        value = length - lengths[place - 2] if place > 2 else length
        while True:
            part, value = value & 0x1F, value >> BITS
            done = value == (-1 if part & SIGN else 0)
            letters.append(chr((part if done else part | MORE) + FIRST))
            if done:
                break
    return "".join(letters)


def from_text(text: str) -> list[int]:
    """The run lengths of a compressed form. Raises ValueError where it is none.

    >>> from_text("61X13mN0")
    [6, 1, 40, 4, 5, 4]
    """
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        part = ord(letter) - FIRST
        if not 0 <= part < 2 * MORE or shift > 60:
            raise ValueError("its compressed run lengths are broken")
        value |= (part & 0x1F) << shift
        shift += BITS
        if part & MORE:
            continue
        if part & SIGN:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("its compressed run lengths are broken")
    return lengths
