"""Rows with entities: CoNLL files broken, tags of every scheme, and spans of no text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzz.breaking import INTS, JUNK, TEXTS, broken_bytes
from fuzz.harness import Border, WrongAnswer
from multigraft.contracts.formats import PLAIN
from multigraft.errors import RowError
from multigraft_text.conll import read_conll
from multigraft_text.schemes import SCHEMES
from multigraft_text.spans import span_rows, span_spec

CONLL = b"-DOCSTART- O\n\nAda B-PER\nmet O\nGrace B-PER\nHopper I-PER\n\nin O\nRome B-LOC\n"
ROW: dict[str, Any] = {"words": ["Ada", "met", "Grace"], "tags": ["B-PER", "O", "B-PER"]}
TAGS = st.sampled_from("O B-PER I-PER E-PER S-PER L-PER U-PER I-LOC PER B- -".split())
TAGGED = st.fixed_dictionaries(
    {
        "words": st.one_of(st.lists(st.one_of(TEXTS, JUNK), max_size=4), TEXTS, JUNK),
        "tags": st.one_of(st.lists(st.one_of(TAGS, JUNK), max_size=4), TAGS, JUNK),
    }
)
SPAN = st.fixed_dictionaries(
    {"start": st.one_of(INTS, JUNK), "end": st.one_of(INTS, JUNK), "label": st.one_of(TEXTS, JUNK)}
)
SPANNED = st.fixed_dictionaries(
    {"text": TEXTS, "spans": st.one_of(st.lists(st.one_of(SPAN, JUNK), max_size=3), JUNK)}
)
INPUTS = st.one_of(
    st.tuples(st.just("file"), st.one_of(broken_bytes(st.just(CONLL)), st.binary(max_size=80))),
    st.tuples(st.just("row"), st.one_of(TAGGED, SPANNED)),
    st.tuples(st.just("row"), st.dictionaries(st.sampled_from([*ROW, "text", "spans"]), JUNK)),
).flatmap(lambda given: st.tuples(st.just(given[0]), st.just(given[1]), st.sampled_from(SCHEMES)))


def feed(folder: Path, given: tuple[str, Any, str]) -> None:
    """What is accepted has spans within its text, in order, each of a type; a row of a file may be
    bad, and one of all must not be."""
    way, what, scheme = given
    if way == "row":
        _check(span_rows(what, {"scheme": scheme}))
        return
    path = folder / "rows.conll"
    path.write_bytes(what)
    found = read_conll(path, PLAIN)
    cells = zip(*found.columns.values(), strict=True)
    rows = [dict(zip(found.columns, each, strict=True)) for each in cells]
    refused: list[RowError] = []
    for number, row in enumerate(rows):
        try:
            _check(span_rows(row, {"scheme": scheme}))
        except RowError as error:
            refused.append(error)
            continue
        if number in found.bad:
            raise WrongAnswer(f"row {number} is bad, and was used")
    if len(refused) == len(rows):
        raise refused[0]


def _check(row: dict[str, Any]) -> None:
    text, spans = row["text"], row["spans"]
    for span in spans:
        piece = text[span["start"] : span["end"]]
        if not piece or piece != piece.strip() or not span["label"]:
            raise WrongAnswer(f"{span} of {text!r}")
    if any(one["end"] > other["start"] for one, other in pairwise(spans)):
        raise WrongAnswer(f"{spans} cross")
    if spans:
        span_spec({"spans": [spans]})


BORDER = Border(
    "entities",
    INPUTS,
    feed,
    lambda: [
        ("file", CONLL, "bio"),
        ("row", ROW, "bio"),
        ("row", {"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "PER"}]}, "bio"),
    ],
)
