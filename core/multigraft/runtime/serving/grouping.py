"""Group rows by length: those that came together and are alike are computed with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

PADDED = 1.25
"""A group's longest row times its rows may be this much more than its rows together."""


def groups(lengths: Sequence[int], *, padded: float = PADDED) -> Iterator[list[int]]:
    """Indices of rows by groups, the shortest first.

    >>> list(groups([10, 200, 11, 9, 190]))
    [[3, 0, 2], [4, 1]]
    """
    group: list[int] = []
    real = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        if group and length * (len(group) + 1) > padded * (real + length):
            yield group
            group, real = [], 0
        group.append(index)
        real += length
    if group:
        yield group
