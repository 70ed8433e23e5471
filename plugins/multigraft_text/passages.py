"""A question with the passage that it is asked of: rows of it, in windows of the passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Arrays
from multigraft_text.places import NOWHERE, cut_off, token_places
from multigraft_text.windows import OVERLAP

PASSAGE = 1
"""The number of the passage among both texts."""


def passage_rows(encoding: Any, texts: Sequence[str], max_length: int) -> Iterator[Arrays]:
    """Rows of at most so many tokens from the encoding of a whole pair: the question in each, and
    windows of the passage that overlap by a quarter of what a row holds beside special tokens.

    Each has ``input_ids``, ``attention_mask`` and ``token_type_ids`` [T], ``places`` [T, 3] of the
    passage's tokens (see `token_places`), ``start`` and ``rest`` (see `cut_off`). Raises RowError
    where a text has no token, and where the question takes more than half of a row.
    """
    sides = np.array([-1 if side is None else side for side in encoding.sequence_ids])
    inside, asking = np.flatnonzero(sides == PASSAGE), int((sides == 0).sum())
    held = max_length - (len(sides) - len(inside) - asking)
    _check(asking, len(inside), held)
    room = held - asking
    step = room - held // OVERLAP
    whole = _arrays(encoding, texts, sides)
    before, behind = np.arange(inside[0]), np.arange(inside[-1] + 1, len(sides))
    for start in range(0, max(len(inside) - room, 0) + step, step):
        window = inside[start : start + room]
        chosen = np.concatenate([before, window, behind])
        rest = len(inside) - start - len(window)
        yield {**{name: each[chosen] for name, each in whole.items()}, **cut_off(start, rest)}
        if not rest:
            return


def _check(asking: int, passage: int, held: int) -> None:
    for tokens, name in ((asking, "question"), (passage, "passage")):
        if not tokens:
            raise RowError(f"the tokenizer finds no token in the {name}")
    if asking > held // 2:
        raise RowError(
            f"the question has {asking} tokens, and a row {held}: at most half of them may be the "
            "question's; shorten it, or raise reader.max_length"
        )


def _arrays(encoding: Any, texts: Sequence[str], sides: np.ndarray) -> Arrays:
    places = token_places(encoding, texts)
    places[sides != PASSAGE] = (0, 0, NOWHERE)
    ids = np.array(encoding.ids, dtype=np.int64)
    types = np.array(encoding.type_ids, dtype=np.int64)
    return {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": types,
        "places": places,
    }
