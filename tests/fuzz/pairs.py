"""Rows of texts that belong together: pairs, triplets and scores, with cells of junk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzz.breaking import JUNK, TEXTS
from fuzz.harness import Border, WrongAnswer
from multigraft_text.similarity.pairs import FORMS, form_of, pair_rows, pair_spec

PAIR = {"text": "a day out", "text_pair": "out for a day"}
TRIPLET = {"text": "a day out", "positive": "out for a day", "negative": "in all night"}
SCORED = {**PAIR, "score": 0.5}
NUMBERS = st.sampled_from(["nan", "1e999", "0x1", "1,5", "", True, 10**400, -0.0, "٣"])
CELLS = st.one_of(TEXTS, NUMBERS, JUNK)
BESIDE = st.dictionaries(st.sampled_from(["positive", "negative", "score", "x"]), CELLS, max_size=3)
ROWS = st.one_of(
    st.dictionaries(
        st.sampled_from(["text", "text_pair", "positive", "negative", "score"]), CELLS, max_size=4
    ),
    *[
        st.tuples(st.sampled_from(list(row)), CELLS).map(
            lambda cell, row=row: {**row, **{cell[0]: cell[1]}}
        )
        for row in (PAIR, TRIPLET, SCORED)
    ],
    st.builds(lambda pair: {"text": "a day out", "pair": pair}, st.one_of(BESIDE, JUNK)),
)


def feed(folder: Path, row: dict[str, Any]) -> None:
    """What is accepted has a form, texts that are not blank, a finite score, and stays as it is
    when it is read again."""
    found = pair_rows(row)
    pair = found["pair"]
    if form_of(pair) not in FORMS.values() or not pair["positive"].strip():
        raise WrongAnswer(repr(found))
    if "negative" in pair and pair["negative"].strip() in ("", pair["positive"].strip()):
        raise WrongAnswer(repr(found))
    if "score" in pair and not math.isfinite(pair["score"]):
        raise WrongAnswer(repr(found))
    if pair_rows(found) != found or pair_spec({"pair": [pair]}) != {"form": form_of(pair)}:
        raise WrongAnswer(f"{found} is another row when it is read again")


BORDER = Border("pairs", ROWS, feed, lambda: [PAIR, TRIPLET, SCORED, {**PAIR, "score": "0.5"}])
