"""Tag schemes: tags of words read as entities, and a broken sequence told by its word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

from multigraft import RowError
from multigraft.errors import DataError, shown

Scheme = Literal["bio", "iob1", "bioes", "bilou", "io", "words"]
"""``bio`` is IOB2 (Ratnaparkhi 1998, Tjong Kim Sang and Veenstra 1999), ``iob1`` that of Ramshaw
and Marcus (1995), ``bioes`` is IOBES, ``io`` has no prefixes and joins neighbours of one type, and
with ``words`` every word with a tag is by itself, as with parts of speech."""
SCHEMES: tuple[str, ...] = get_args(Scheme)
OUTSIDE = "O"
NAMED = 4
"""The most labels that a message names."""
Role = Literal["begins", "inside", "either", "last", "single"]
ROLES: Mapping[str, Mapping[str, Role]] = {
    "bio": {"B": "begins", "I": "inside"},
    "iob1": {"B": "begins", "I": "either"},
    "bioes": {"B": "begins", "I": "inside", "E": "last", "S": "single"},
    "bilou": {"B": "begins", "I": "inside", "L": "last", "U": "single"},
}
CLOSED = ("bioes", "bilou")
"""Schemes that mark the last word of an entity."""
Entity = tuple[int, int, str]
"""First word, the one after the last, type."""


def entities(tags: Sequence[str], scheme: str) -> list[Entity]:
    """The entities that tags mark, in order. Raises RowError for what the scheme does not allow.

    >>> entities(["B-PER", "I-PER", "O", "B-LOC"], "bio")
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    >>> entities(["PER", "PER", "O", "LOC"], "words")
    [(0, 1, 'PER'), (1, 2, 'PER'), (3, 4, 'LOC')]
    """
    if scheme in ROLES:
        return list(_prefixed(tags, scheme))
    return list(_plain(tags, join=scheme == "io"))


def refuse_prefixed(labels: Sequence[str], scheme: str | None) -> None:
    """Raise DataError where a scheme without prefixes read tags that all have one: two or more."""
    if scheme is None or scheme in ROLES:
        return
    parts = [label.partition("-") for label in labels]
    prefixes = {prefix for prefix, dash, kind in parts if dash and kind}
    fits = [each for each, roles in ROLES.items() if prefixes <= set(roles)]
    if len(labels) < 2 or not fits or not all(dash and kind for _, dash, kind in parts):
        return
    told = ", ".join(map(shown, labels[:NAMED])) + (", ..." if len(labels) > NAMED else "")
    raise DataError(
        f"the labels {told} are tags of scheme {fits[0]!r}, and the task reads them by scheme "
        f"{scheme!r}, which has no prefixes: say task: {{scheme: {fits[0]}}}"
        + (f" (or {', '.join(fits[1:])})" if fits[1:] else "")
    )


def _plain(tags: Sequence[str], *, join: bool) -> Iterator[Entity]:
    start = 0
    for end in range(1, len(tags) + 1):
        if join and end < len(tags) and tags[end] == tags[start]:
            continue
        if tags[start] != OUTSIDE:
            yield start, end, tags[start]
        start = end


def _prefixed(tags: Sequence[str], scheme: str) -> Iterator[Entity]:
    start, kind = 0, ""  # the entity that is open; "": none is
    for word, tag in enumerate([*tags, OUTSIDE]):
        role, label = _split(tag, word, scheme)
        goes_on = role in ("inside", "last") or (role == "either" and label == kind)
        if goes_on and label != kind:
            raise _broken(tag, word, f"goes on with a {label!r} that does not stand before it")
        if kind and not goes_on:
            if scheme in CLOSED:
                raise _broken(tag, word, f"comes before the {kind!r} that is open has ended")
            yield start, word, kind
            kind = ""
        if role in ("begins", "either", "single") and not goes_on:
            start, kind = word, label
        if role in ("last", "single"):
            yield start, word + 1, kind
            kind = ""


def _split(tag: str, word: int, scheme: str) -> tuple[Role | None, str]:
    """The role and the type of a tag; None for what is outside. Raises RowError."""
    if tag == OUTSIDE:
        return None, ""
    prefix, _, label = tag.partition("-")
    if prefix not in ROLES[scheme] or "-" not in tag:
        allowed = ", ".join(f"{each}-TYPE" for each in ROLES[scheme])
        raise _broken(tag, word, f"is none of scheme {scheme!r}, which has O, {allowed}")
    if not label.strip():
        raise _broken(tag, word, "has no type behind its dash")
    return ROLES[scheme][prefix], label


def _broken(tag: str, word: int, why: str) -> RowError:
    others = ", ".join(SCHEMES)
    return RowError(
        f"has at word {word + 1} the tag {tag!r}, which {why}; the task's option scheme says how "
        f"tags are written: {others}",
        column="tags",
    )
