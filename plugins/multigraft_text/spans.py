"""Spans of text as a task's targets: rows of words and tags, or of texts and spans, become texts
and spans of characters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import ColumnsError, DataError, shown
from multigraft.models.tasks.shared import label_fault, label_name
from multigraft.runtime.answers.text_words import SHORTEST, WORDS, inner_places
from multigraft_text.cleaning import clean
from multigraft_text.schemes import entities, refuse_prefixed

Span = dict[str, Any]
"""``start``, ``end``, ``label``; and ``splits``, the words that it begins or ends within."""
Tell = Callable[[str], None]
"""Takes what was read in another way than it stands."""
NO_OPTIONS: Mapping[str, Any] = {}
DROPPED = ("words", "tags", "text_pair")


def silent(what: str) -> None:
    """Tell nobody."""


def span_rows(
    row: Mapping[str, Any], options: Mapping[str, Any], tell: Tell = silent
) -> dict[str, Any]:
    """A row with ``text`` and ``spans``, of ``text`` and ``spans`` or of ``words`` and ``tags``.

    Words are joined by a space each. Raises RowError for tags that the scheme does not allow or
    that do not fit the words, and for spans beyond the text, across each other, or of no type.
    """
    if "words" in row and "tags" in row:
        if "text" in row and row.get("spans") is not None:
            tell("rows hold words and tags, and text and spans too: words and tags were taken")
        text, spans = _tagged(row["words"], row["tags"], options["scheme"])
    elif "text" in row and "spans" in row:
        text, spans = row["text"], _listed(row["spans"])
    elif "words" in row and row.get("spans", DROPPED) is None:  # only to be answered
        text, spans = " ".join(_texts(row["words"], "words")), []
    else:
        raise ColumnsError(
            f"two columns are needed: words and tags, or text and spans; it holds {', '.join(row)}",
            {"words": "tokens", "tags": "ner_tags"},
        )
    text = clean(text)
    kept = {name: value for name, value in row.items() if name not in DROPPED}
    return {**kept, "text": text, "spans": _ordered([_checked(span, text, tell) for span in spans])}


def span_spec(
    columns: Mapping[str, Sequence[Any]], options: Mapping[str, Any] = NO_OPTIONS
) -> Spec:
    """The types of spans, sorted, and the longest words that are always of a span as a whole.

    Raises DataError where there are none, and where they are tags of another scheme.

    >>> span_spec({"spans": [[{"start": 0, "end": 3, "label": "PER"}], None]})
    {'labels': ['PER'], 'words': 'spaced'}
    """
    spans = [span for cell in columns["spans"] for span in cell or ()]
    labels = sorted({span["label"] for span in spans})
    if not labels:
        raise DataError("no training row has a span; tags that are all O say nothing to learn")
    refuse_prefixed(labels, options.get("scheme"))
    split = {span.get("splits") for span in spans}
    whole = [words for words in WORDS if not split & {words, SHORTEST}]
    return {"labels": labels, "words": whole[0] if whole else None}


def span_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Of made-up texts, some words as spans of two types."""
    return {"spans": [_sampled(rng, raw) for raw in raws]}


def _sampled(rng: np.random.Generator, text: str) -> list[Span]:
    words = text.split(" ")
    ends = list(accumulate((len(word) + 1 for word in words), initial=0))
    bare = [word.rstrip(".") for word in words]
    labels = {"film": "thing", "river": "thing", "house": "thing", "people": "who", "day": "who"}
    return [
        {"start": start, "end": start + len(word), "label": labels.get(word, "who")}
        for start, word in zip(ends, bare, strict=False)
        if word in labels or (word and rng.random() < 0.1)
    ]


def _tagged(words: Any, tags: Any, scheme: str) -> tuple[str, list[Span]]:
    said, marked = _texts(words, "words"), _texts(tags, "tags")
    if len(said) != len(marked):
        raise RowError(f"has {len(said)} words and {len(marked)} tags", column="tags")
    starts = list(accumulate((len(word) + 1 for word in said), initial=0))
    spans = [
        {"start": starts[first], "end": starts[after] - 1, "label": label}
        for first, after, label in entities(marked, scheme)
    ]
    return " ".join(said), spans


def _texts(cell: Any, column: str) -> list[str]:
    """The texts in a cell: a list, a list as JSON, or texts with spaces between them."""
    if isinstance(cell, str):
        listed = _json_list(cell)
        cell = cell.split() if listed is None else listed
    if not isinstance(cell, list | tuple):
        raise RowError(f"holds {type(cell).__name__}; a list of texts is needed", column=column)
    for place, value in enumerate(cell, 1):
        if not isinstance(value, str) or not value.strip():
            raise RowError(f"holds {value!r} in place {place}; text is needed", column=column)
    return [value.strip() for value in cell]


def _json_list(cell: str) -> list[str] | None:
    if not cell.lstrip().startswith("["):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, list) and all(isinstance(each, str) for each in found)
    return found if whole else None


def _listed(cell: Any) -> list[Any]:
    """The spans in a cell: a list of objects, or one as JSON; an empty cell has none."""
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise _wrong(f"is no JSON: {error}") from error
    if cell is None or cell == "":
        return []
    if not isinstance(cell, list) or not all(isinstance(span, dict) for span in cell):
        raise _wrong('is no list of objects, as [{"start": 0, "end": 4, "label": "PER"}]')
    return cell


def _checked(span: Mapping[str, Any], text: str, tell: Tell) -> Span:
    """One span, without spaces at its ends. Raises RowError."""
    start, end = _whole(span.get("start")), _whole(span.get("end"))
    if start is None or end is None:
        raise _wrong(f"has the span {dict(span)}; start and end are whole numbers, of characters")
    if not 0 <= start < end <= len(text):
        raise _wrong(f"has the span {start} to {end}, and the text {len(text)} characters")
    if fault := label_fault(span.get("label")):
        raise _wrong(f"has at {start} to {end} no type: {fault}")
    piece = text[start:end]
    if not piece.strip():
        raise _wrong(f"has the span {start} to {end}, which holds spaces only")
    first = start + len(piece) - len(piece.lstrip())
    after = first + len(piece.strip())
    label = label_name(span["label"])
    if isinstance(span["label"], str) and span["label"] != label:
        tell(f"the label {shown(span['label'])} was read as {shown(label)}")
    found = {"start": first, "end": after, "label": label}
    split = [words for words in WORDS if inner_places(text, words)[[first, after]].any()]
    return {**found, "splits": split[-1]} if split else found


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _ordered(spans: list[Span]) -> list[Span]:
    ordered = sorted(spans, key=lambda span: (span["start"], span["end"]))
    for one, other in pairwise(ordered):
        if other["start"] < one["end"]:
            raise _wrong(
                f"has the spans {one['start']} to {one['end']} and {other['start']} to "
                f"{other['end']}, which share characters; a character is of one span"
            )
    return ordered


def _wrong(what: str) -> RowError:
    return RowError(what, column="spans")
