"""Texts that a model learns to write: read as tokens, without torch."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer

from multigraft import MultigraftError, RowError
from multigraft.contracts.types import Spec
from multigraft_text.cleaning import clean
from multigraft_text.token_ids import token_ids

WRITTEN_TOKENIZER = "target_tokenizer.json"
"""The file of a folder of weights that cuts what is written, where another cuts what is read."""


class TargetReader:
    """Reads a text as the tokens that are to be written: its own, and the one that ends it.

    What every text begins with (a language, or BART's ``<s>``) is no part of them: the decoder is
    given it.
    """

    def __init__(self, spec: Spec, *, end: int) -> None:
        own = spec.get("writes", {}).get("tokenizer.json", spec["tokenizer.json"])
        content = {**own, "truncation": None, "padding": None}
        self._tokenizer = Tokenizer.from_str(json.dumps(content))
        self._end = end

    def read(self, raw: Any) -> list[int]:
        """The tokens of a text. Raises RowError for what is no text, or has no token."""
        (encoding,) = self._tokenizer.encode_batch_fast([clean(raw)], add_special_tokens=False)
        if not encoding.ids:
            raise RowError("the tokenizer finds no token in the text")
        return [*encoding.ids, self._end]


def end_of(spec: Spec) -> int:
    """The id that ends a text which is written. Raises MultigraftError where there is none."""
    if "writes" in spec:
        return frame_of(spec)[1][-1]
    end = token_ids(spec).get(spec["special"].get("eos_token"))
    if end is None:
        raise MultigraftError("the tokenizer has no end token, so no text can be written with it")
    return end


def frame_of(spec: Spec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids in front of a written text, and behind it."""
    ids, writes = token_ids(spec), spec["writes"]
    first, last = (tuple(ids[token] for token in writes[side]) for side in ("first", "last"))
    return first, last


def written_frame(tokenizer: dict[str, Any], end: str) -> dict[str, Any]:
    """What a tokenizer puts around a text, as a decoder writes it: ``first`` in front of it, and
    its ``end`` behind it. Of a token behind that (mBART's language) ``start``: the decoder begins
    with it in the place of its own."""
    content = {**tokenizer, "truncation": None, "padding": None}
    around = Tokenizer.from_str(json.dumps(content)).encode("").tokens
    place = around.index(end) if end in around else len(around)
    start = around[place + 1 :][-1:]
    return {"first": around[:place], "last": [end], **dict(zip(("start",), start, strict=False))}
