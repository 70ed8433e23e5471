"""Marian's translation students: what this plugin brings, and how their texts are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import multigraft as mg

requires_multigraft = ">=0.1,<0.2"

END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
MAX_LENGTH = 128
"""Tokens that are read of a text, unless `reader.max_length` says otherwise."""


@mg.hookimpl
def register_backbones() -> Sequence[mg.Backbone]:
    """The shape that is published, and a small one for trials; the keys are a folder's config's."""
    return [
        mg.Backbone(
            name="ssru",
            modality="text",
            sizes={
                "tiny": mg.Size(config={"d": 32, "heads": 2, "ffn": 64, "enc": 2, "dec": 2}),
                "student": mg.Size(config={"d": 256, "heads": 8, "ffn": 1536, "enc": 6, "dec": 2}),
            },
            build=mg.Lazy("multigraft_ssru.network:build"),
            reader=reader_spec,
        )
    ]


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> dict[str, Any]:
    """The text reader of these weights; from scratch its tokenizer is learned."""
    length = options.get("max_length", MAX_LENGTH)
    spec = {"kind": "text", "max_length": length, "token_types": False}
    if origin.path is None:
        learn = {
            "style": "seq2seq",
            "tokenizer": options.get("tokenizer") or "unigram",
            "vocabulary": options.get("vocabulary", 8000),
            "lowercase": False,
        }
        return {**spec, "tokenizer.json": None, "learn": learn}
    tokenizer = completed(read_json(origin.path / "tokenizer.json"))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    pad = PAD if PAD in ids else END
    special = {"eos_token": END, "unk_token": UNKNOWN, "pad_token": pad}
    return {**spec, "tokenizer.json": tokenizer, "pad_id": ids[pad], "special": special}


def completed(content: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer that closes a text and knows its special tokens, which one made of a
    SentencePiece file alone does not."""
    if content["post_processor"] is not None:
        return content
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens([END, UNKNOWN])
    tokenizer.post_processor = TemplateProcessing(
        single=f"$A {END}",
        pair=f"$A {END} $B {END}",
        special_tokens=[(END, tokenizer.token_to_id(END))],
    )
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    return found


def read_json(file: Path) -> Any:
    """What a file of the weights says. Raises WeightsError."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise mg.WeightsError(f"{file}: cannot be read: {error}") from error
