"""Examples of a prepared corpus as its page shows them: texts with what changed, and previews."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multigraft.contracts.previews import LARGEST, Preview
from multigraft.contracts.readers import row_errors
from multigraft.errors import RowError

MOST = 8 * 2**20
"""Characters of all previews of a page together."""
PIECES = re.compile(r"\w+|\s|[^\w\s]")
CUT = " ..."
"""How a value that was cut off ends."""
LATER = "the change lies behind what is shown"
FULL = "not shown, so that the page stays small"
Piece = tuple[str, bool]
"""Some of a text, and whether the other one lacks it."""


@dataclass(frozen=True)
class Seen:
    """A value as the page shows it."""

    row: int
    name: str
    address: str = ""
    """The ``data:`` address of its preview; empty where there is none."""
    sound: bool = False
    about: str = ""
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True)
class Line:
    """An example: a value, what is said of it, and what it became or what stays in its place."""

    value: Seen
    told: str = ""
    other: Seen | None = None


class Previews:
    """Makes the previews of a page, as many as it may hold."""

    def __init__(self, makers: Mapping[str, Callable[[Any], Preview] | None]) -> None:
        self._makers = makers
        self._left = MOST

    def lines(self, step: str, kind: str, examples: Sequence[Mapping[str, Any]]) -> list[Line]:
        """The examples of a kind (``dropped``, ``mended``, ``kept``) of a step."""
        return [self._line(self._makers.get(step), kind, each) for each in examples]

    def _line(
        self, make: Callable[[Any], Preview] | None, kind: str, example: Mapping[str, Any]
    ) -> Line:
        value, told, instead = example["value"], example["told"], example.get("instead")
        if example.get("file"):
            other = self._seen(make, instead) if instead else None
            return Line(self._seen(make, example), "" if other else told, other)
        if kind != "mended" and not instead:
            return Line(Seen(example["row"], value), told)
        after = instead["value"] if instead else told
        before_pieces, after_pieces = changes(value, after)
        told = LATER if value == after and kind == "mended" else ""
        other = Seen(instead["row"] if instead else -1, after, pieces=after_pieces)
        return Line(Seen(example["row"], value, pieces=before_pieces), told, other)

    def _seen(self, make: Callable[[Any], Preview] | None, example: Mapping[str, Any]) -> Seen:
        bare = Seen(example["row"], example["value"])
        if make is None or not example["file"]:
            return bare
        try:
            with row_errors():
                found = make(example["file"])
        except RowError:  # which the page tells as the reason, where it is one
            return bare
        content = base64.b64encode(found.content).decode()
        if len(found.content) > LARGEST or len(content) > self._left:
            return Seen(bare.row, bare.name, about=FULL)
        self._left -= len(content)
        address = f"data:{found.kind};base64,{content}"
        return Seen(bare.row, bare.name, address, found.kind.startswith("audio/"), found.told)


def changes(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, those marked that the other lacks; nothing is marked where next to
    nothing is the same, nor beyond where one was cut off.

    >>> changes("a <b>cat</b>", "a cat")
    ([('a ', False), ('<b>', True), ('cat', False), ('</b>', True)], [('a cat', False)])
    """
    first, second = PIECES.findall(before), PIECES.findall(after)
    found = difflib.SequenceMatcher(None, first, second, autojunk=False)
    if found.ratio() < 1 / 3:
        return [(before, False)], [(after, False)]
    steps = found.get_opcodes()
    if before.endswith(CUT) or after.endswith(CUT):
        steps = [*steps[:-2], *(("equal", *step[1:]) for step in steps[-2:])]
    return (
        list(_joined((first[a:b], kind != "equal") for kind, a, b, _, _ in steps)),
        list(_joined((second[c:d], kind != "equal") for kind, _, _, c, d in steps)),
    )


def _joined(parts: Iterator[tuple[list[str], bool]]) -> Iterator[Piece]:
    """Pieces that are marked alike as one."""
    text, before = "", False
    for signs, marked in parts:
        if signs and marked != before and text:
            yield text, before
            text = ""
        if signs:
            text, before = text + "".join(signs), marked
    if text:
        yield text, before
