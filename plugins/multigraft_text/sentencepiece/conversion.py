"""From a SentencePiece file's pieces to the content of a tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from multigraft.contracts.readers import no_panic
from multigraft.errors import WeightsError, refused_as
from multigraft_text.sentencepiece.model_file import HIDDEN, PieceModel

NO_LETTER = "\ufffe"
"""Stands for a run of unknown letters: Unicode promises that it is none itself."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a kind of model numbers pieces, and what it puts around a text."""

    pieces: Sequence[tuple[str, float]]
    """By id, with their scores."""
    unknown: int
    special: Sequence[str]
    """Those that are no text."""
    single: str
    """As ``$A </s>``."""
    pair: str
    mask: str | None = None
    """The special one that takes the space before it."""
    first: Sequence[Any] = ()
    """Normalizers in front of the file's own."""
    known: frozenset[str] = frozenset()
    """Letters; where there are any, others are unknown as runs and not one by one."""


def tokenizer_json(layout: Layout, model: PieceModel) -> dict[str, Any]:
    """The content of a tokenizer.json that cuts texts as SentencePiece does. Raises WeightsError
    for a file that contradicts itself."""
    with refused_as(WeightsError, f"{model.file}: no tokenizer can be made of it"), no_panic():
        content: dict[str, Any] = json.loads(_tokenizer(layout, model).to_str())
    return content


def _tokenizer(layout: Layout, model: PieceModel) -> Tokenizer:
    pieces, unknown = list(layout.pieces), layout.unknown
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unknown, byte_fallback=model.bytes))
    tokenizer.normalizer = _normalizer(layout, model.charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    shown = decoders.ByteFallback() if model.bytes else decoders.Replace(HIDDEN, "")
    tokenizer.decoder = decoders.Sequence([shown, decoders.Metaspace(prepend_scheme="always")])
    special = dict.fromkeys(layout.special)
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, lstrip=token == layout.mask) for token in special]
    )
    around = [token for token in special if token in (layout.single + " " + layout.pair).split()]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=layout.single,
        pair=layout.pair,
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in around],
    )
    return tokenizer


def _normalizer(layout: Layout, charsmap: bytes) -> Any:
    """Characters by the file's map; then no space at the ends, and one between words."""
    known = layout.known
    steps = [
        *layout.first,
        *([normalizers.Precompiled(charsmap)] if charsmap else []),
        normalizers.Replace(Regex("^ +| +$"), ""),
        normalizers.Replace(Regex(" {2,}"), " "),
    ]
    if known:
        letters = "".join(f"\\x{{{ord(letter):x}}}" for letter in sorted(known))
        steps.append(normalizers.Replace(Regex(f"[^ {letters}]{{2,}}"), NO_LETTER))
    return normalizers.Sequence(steps)
