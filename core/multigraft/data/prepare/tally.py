"""Tally of a step: how many rows it saw, dropped and mended, why, and a few of them as examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 400
"""Characters of an example that are kept."""
REASONS = 100
"""Reasons that are told apart."""
OTHER = "other reasons"
OPTIONAL = ("file", "instead")
VARIES = re.compile(
    r"(?<!column )(?<!\w)(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?<![\w.-])\d(?:[\d.,]*\d)?(?!\w)",
    re.S,
)
"""What a message quotes, and numbers in it."""
LEFT_OUT = "…"
MIXED = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = 2**64 - 1


@dataclass(frozen=True)
class Example:
    """One value that a step dropped, mended, or kept."""

    row: int
    """Its place in the source, counted from 0 over all files."""
    value: str
    """How it begins."""
    told: str = ""
    """Why it was dropped, what it became, or which row stays in its place."""
    draw: int = 0
    """Its number in the draw: of all rows those with the smallest are shown."""
    file: str = ""
    """The whole name of the file that it is, if it is one."""
    instead: Mapping[str, Any] | None = None
    """Of a duplicate the ``row``, ``value`` and ``file`` that stay in its place."""

    def facts(self) -> dict[str, Any]:
        """As JSON has it; without a file and a row in its place, where it has none."""
        told = vars(self)
        return {name: told[name] for name in told if name not in OPTIONAL or told[name]}


@dataclass
class Tally:
    """Counts and examples of one step; those of several blocks add up, in any order."""

    seen: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows by why they were dropped."""
    mended: int = 0
    examples: dict[str, list[Example]] = field(default_factory=dict)
    """By ``dropped``, ``mended`` and ``kept``."""

    def drop(self, why: str, rows: int = 1) -> None:
        """Count rows that were dropped; of very many reasons the later ones count as one."""
        known = why in self.dropped or len(self.dropped) < REASONS
        self.dropped[why if known else OTHER] += rows

    def show(self, kind: str, example: Example, most: int) -> None:
        """Keep an example, where it is among the first in the draw."""
        shown = self.examples.setdefault(kind, [])
        shown.append(example)
        if len(shown) > most:
            shown.sort(key=_drawn)
            del shown[most:]

    def add(self, other: Tally, most: int) -> None:
        """Take in the counts of another block."""
        self.seen += other.seen
        for why, rows in other.dropped.items():
            self.drop(why, rows)
        self.mended += other.mended
        for kind, examples in other.examples.items():
            for each in examples:
                self.show(kind, each, most)

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seen": self.seen,
            "dropped": dict(sorted(self.dropped.items())),
            "mended": self.mended,
            "examples": {
                kind: [each.facts() for each in sorted(shown, key=_drawn)]
                for kind, shown in sorted(self.examples.items())
            },
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Tally:
        """From what `facts` gave."""
        examples = {
            kind: [Example(**each) for each in shown] for kind, shown in facts["examples"].items()
        }
        return cls(facts["seen"], Counter(facts["dropped"]), facts["mended"], examples)


def kind_of(message: str) -> str:
    """A message without what it tells of one value, so that rows can be counted by it.

    >>> kind_of("column 'text' is not UTF-8: half a pair U+D800 after 'Jane '")
    "column 'text' is not UTF-8: half a pair U+D800 after …"
    >>> kind_of("has 8,000 x 7000 pixels")
    'has … x … pixels'
    """
    return VARIES.sub(LEFT_OUT, message)


def _drawn(example: Example) -> tuple[int, int]:
    return example.draw, example.row


def draw(step: int, row: int) -> int:
    """A row's number in the draw of a step's examples: as good as random, and always the same."""
    value = (row * 1_000_003 + step + 1) * MIXED[0] & WORD
    value = (value ^ value >> 30) * MIXED[1] & WORD
    value = (value ^ value >> 27) * MIXED[2] & WORD
    return (value ^ value >> 31) >> 1


def shown(value: Any) -> str:
    """How an example's value begins; of bytes, how many there are."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    text = value if isinstance(value, str) else repr(value)
    text = text.encode(errors="replace").decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def summed(tallies: Iterable[Mapping[int, Tally]], most: int) -> dict[int, Tally]:
    """Add up the tallies of blocks, step by step."""
    total: dict[int, Tally] = {}
    for each in tallies:
        for step, tally in each.items():
            total.setdefault(step, Tally()).add(tally, most)
    return total
