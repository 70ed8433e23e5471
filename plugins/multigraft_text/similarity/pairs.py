"""Pairs of texts as rows: what belongs together, what does not, or how much."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import ColumnsError, DataError, shown
from multigraft_text.cleaning import clean

COLUMN = "pair"
POSITIVE, NEGATIVE, SCORE = "positive", "negative", "score"
DROPPED = ("text_pair", POSITIVE, NEGATIVE, SCORE)
PAIRS, TRIPLETS, SCORES = "pairs", "triplets", "scores"
FORMS: Mapping[frozenset[str], str] = {
    frozenset({POSITIVE}): PAIRS,
    frozenset({POSITIVE, NEGATIVE}): TRIPLETS,
    frozenset({POSITIVE, SCORE}): SCORES,
}
"""What stands beside a text, and what such rows are called."""
ALLOWED = (
    "text and text_pair (or positive): a pair; with negative: a triplet; with score: a pair with a "
    "score"
)


def pair_rows(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with ``text`` and ``pair``, which holds ``positive`` and perhaps ``negative`` or
    ``score``.

    Raises RowError for other columns, an empty cell of them, a score that is no number, and a
    negative that is the positive.
    """
    pair = dict(row[COLUMN]) if isinstance(row.get(COLUMN), Mapping) else _beside(row)
    if not pair and "text" not in row:
        held = ", ".join(name for name in row if name != COLUMN)
        raise ColumnsError(f"the column text is needed; it holds {held}", {"text": "question"})
    form_of(pair)
    found: dict[str, Any] = {POSITIVE: _text(pair, POSITIVE)}
    if NEGATIVE in pair:
        found[NEGATIVE] = _text(pair, NEGATIVE)
        if text_id(found[NEGATIVE]) == text_id(found[POSITIVE]):
            raise RowError("the negative is the positive", column=NEGATIVE)
    if SCORE in pair:
        found[SCORE] = _number(pair[SCORE])
    kept = {name: value for name, value in row.items() if name not in DROPPED}
    return {**kept, COLUMN: found}


def form_of(pair: Mapping[str, Any]) -> str:
    """What a row is, by what stands in its ``pair``. Raises RowError where that is no form.

    >>> form_of({"positive": "yes", "score": 0.5})
    'scores'
    """
    form = FORMS.get(frozenset(pair))
    if form is None:
        held = ", ".join(sorted(map(str, pair))) or "nothing"
        raise RowError(f"beside the text stands {held}; allowed are {ALLOWED}")
    return form


def pair_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The form of the training rows. Raises DataError where they have several.

    >>> pair_spec({"pair": [{"positive": "yes"}, None]})
    {'form': 'pairs'}
    """
    forms = sorted({form_of(pair) for pair in columns[COLUMN] if pair is not None})
    if len(forms) != 1:
        raise DataError(
            f"the training rows are {' and '.join(forms) or 'none of pairs'}; all must have the "
            f"same columns, of {ALLOWED}"
        )
    return {"form": forms[0]}


def pair_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """For each made-up text a pair: some of its words, in another order."""
    return {COLUMN: [{POSITIVE: _shuffled(rng, raw)} for raw in raws]}


def text_id(text: str) -> int:
    """A number of a text, equal for equal texts in every process: int64 of BLAKE2b."""
    digest = hashlib.blake2b(text.strip().encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _shuffled(rng: np.random.Generator, text: str) -> str:
    words = text.split()
    return " ".join(words[place] for place in rng.permutation(len(words))[: len(words) // 2 + 1])


def _beside(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells that stand beside the text, by what they are."""
    if "text_pair" in row and POSITIVE in row:
        raise RowError(f"text_pair and positive are the same column twice; allowed are {ALLOWED}")
    found = {name: row[name] for name in (POSITIVE, NEGATIVE, SCORE) if name in row}
    return {POSITIVE: row["text_pair"], **found} if "text_pair" in row else found


def _text(pair: Mapping[str, Any], name: str) -> str:
    try:
        return clean(pair[name])
    except RowError as error:
        error.column = name
        raise


def _number(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, str | Real) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        told = f" {shown(value)}" if isinstance(value, str) else f", a {type(value).__name__},"
        raise RowError(f"the score{told} is no finite number", column=SCORE)
    return number
