"""Words of a row, as the units of explanations: which tokens each has, and how it is hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft_text.places import NOWHERE, token_places


def word_units(
    encoding: Any, texts: Sequence[str], row: Arrays, *, prefix: int, hidden: int
) -> Units:
    """The words that a row holds, as the tokenizer cuts them, without those of a ``prefix`` of so
    many characters; a word is hidden by the token ``hidden`` in the place of each of its own.

    Raises RowError where there is none.
    """
    places = token_places(encoding, texts)
    owners = np.full(len(places), NOWHERE)
    words: dict[tuple[int, int], int] = {}
    found: list[list[int]] = []
    for position, (first, after, word) in enumerate(places.tolist()):
        text = encoding.sequence_ids[position]
        if word == NOWHERE or (text == 0 and first < prefix):
            continue
        number = words.setdefault((text, word), len(words))
        owners[position] = number
        if number == len(found):
            found.append([text, first, after])
        found[number][2] = max(found[number][2], after)
    if not found:
        raise RowError("has no word that could be explained")
    spans = np.array(found, dtype=np.int64)
    names = tuple(texts[text][first:after] for text, first, after in found)
    spans[spans[:, 0] == 0, 1:] -= prefix
    shown = (texts[0][prefix:], *texts[1:])
    hide = partial(_hidden, row, owners, hidden)
    return Units(kind="words", names=names, places=spans, hide=hide, shown=shown)


def hiding_token(spec: Spec, number_of: Callable[[str], int | None]) -> int:
    """What hides a token: the mask token; where the tokenizer has none the unknown one, else
    padding."""
    special = spec.get("special", {})
    names = (special.get(role) for role in ("mask_token", "unk_token"))
    numbers = (number_of(name) for name in names if name)
    return next((found for found in numbers if found is not None), int(spec["pad_id"]))


def _hidden(row: Arrays, owners: np.ndarray, token: int, hidden: np.ndarray) -> Arrays:
    there = (owners != NOWHERE) & hidden[owners]
    return {**row, "input_ids": np.where(there, token, row["input_ids"])}
