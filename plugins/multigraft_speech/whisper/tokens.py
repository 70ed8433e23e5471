"""Texts that Whisper writes, as tokens: `tokenizers` only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from multigraft.contracts.readers import no_panic
from multigraft.errors import BundleError, RowError, refused_as


class Tokens:
    """A ``tokenizer.json``, whose special tokens lie behind all others from ``end`` on."""

    def __init__(self, content: dict[str, Any], end: str) -> None:
        plain = {**content, "truncation": None, "padding": None}
        with refused_as(BundleError, "tokenizer.json cannot be used"), no_panic():
            self._tokenizer = Tokenizer.from_str(json.dumps(plain))
        found = self._tokenizer.token_to_id(end)
        if found is None:
            raise BundleError(f"tokenizer.json has no token {end!r}, which ends a text")
        self.end: int = found

    def read(self, text: str) -> list[int]:
        """The tokens of a text, a space in front, as Whisper learned them, and the end. Raises
        RowError."""
        with no_panic():
            encoding = self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False)
        if special := [token for token in encoding.ids if token >= self.end]:
            name = self._tokenizer.id_to_token(special[0])
            raise RowError(f"holds {name!r}, which is a special token of the model")
        return [*encoding.ids, self.end]

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens; special ones, and times among them, are left out."""
        written = [token for token in tokens if token < self.end]
        with no_panic():
            found: str = self._tokenizer.decode(written)
        return found.lstrip()
