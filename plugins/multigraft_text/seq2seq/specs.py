"""Reader specs of encoder-decoders: their weights' own tokenizer, or one that is to be learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multigraft import MultigraftError, Origin
from multigraft.contracts.readers import SPEC_BYTES
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError, did_you_mean, refused_as
from multigraft.models.untrusted import read_config
from multigraft.system.files import check_plain
from multigraft_text.sentencepiece.marian import target_json
from multigraft_text.seq2seq.targets import WRITTEN_TOKENIZER, written_frame
from multigraft_text.specs import spec_of, spec_to_learn
from multigraft_text.token_ids import token_ids
from multigraft_text.weights import SEQ2SEQ, config_of, folder_of

MANY_LANGUAGES = ("mbart", "m2m_100", "plbart")
"""Those that are told which language to write."""


def t5_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of a T5; a tokenizer that is learned has sentinels."""
    return _spec(origin, options, "t5")


def bart_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of a BART; a tokenizer that is learned has a mask token."""
    return _spec(origin, options, "bart")


def seq2seq_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of an encoder-decoder: its weights' own, or a byte-level BPE that is to be
    learned, which keeps capitals."""
    return _spec(origin, options, "seq2seq")


def _spec(origin: Origin, options: Mapping[str, Any], style: str) -> Spec:
    prefix = {"prefix": origin.config["prefix"]} if origin.config.get("prefix") else {}
    if origin.scratch:
        _refuse_languages(origin)
        limit = origin.config.get("max_position_embeddings") or origin.config.get("n_positions")
        learned = spec_to_learn(
            {"lowercase": False, **options}, style=style, limit=limit or 1024, token_types=False
        )
        return {**learned, "writes": {"first": [], "last": ["</s>"]}, **prefix}
    folder = folder_of(origin)
    spec = spec_of(origin, options, folder, config_of(folder, SEQ2SEQ))
    end = spec["special"].get("eos_token")
    if end is None:
        raise WeightsError(f"{folder}: its tokenizer has no end token")
    written = _written_tokenizer(folder)
    spec = _in_languages(origin, spec, end)
    return {**spec, "writes": {**spec["writes"], **written}, **prefix}


def _written_tokenizer(folder: Path) -> Spec:
    """The tokenizer of what is written, where it is another than that of what is read."""
    file = folder / WRITTEN_TOKENIZER
    if file.is_file():
        check_plain(file, limit=SPEC_BYTES)
        with refused_as(WeightsError, f"{file}: is not JSON"):
            return {"tokenizer.json": json.loads(file.read_text(encoding="utf-8"))}
    found = None if (folder / "tokenizer.json").is_file() else target_json(folder)
    return {} if found is None else {"tokenizer.json": found}


def _refuse_languages(origin: Origin) -> None:
    for name in ("source_language", "target_language"):
        if origin.config.get(name):
            raise MultigraftError(
                f"backbone.{name}: is for weights with tokens of languages; {origin.backbone} is "
                "made from scratch"
            )


def _in_languages(origin: Origin, spec: Spec, end: str) -> Spec:
    """The spec with the languages that are asked for around what is read and written."""
    ids, tokenizer = token_ids(spec), spec["tokenizer.json"]
    source, target = (_language(origin, side, ids) for side in ("source", "target"))
    frame = written_frame(tokenizer, end)
    if target is None and _config(origin).get("model_type") in MANY_LANGUAGES:
        named = "decoder_start_token_id" if "start" in frame else "forced_bos_token_id"
        target = _usual_language(origin, spec, named)
    if source is not None:
        old = next((token for token in (frame.get("start"), *frame["first"]) if token), None)
        tokenizer = _with_token(tokenizer, old, source, ids[source])
    if target is not None:
        frame |= {"start": target} if "start" in frame else {"first": [target]}
    return {**spec, "tokenizer.json": tokenizer, "writes": frame}


def _usual_language(origin: Origin, spec: Spec, named: str) -> str:
    """The language that the published settings begin a text with."""
    number = {**_config(origin), **_settings(origin)}.get(named)
    found = next((token for token, each in token_ids(spec).items() if each == number), None)
    if found is None or found in spec["special"].values():
        raise MultigraftError(
            "backbone.target_language: these weights write several languages; give the token of "
            "one, as 'en_XX', 'eng_Latn' or '__en__'"
        )
    return found


def _config(origin: Origin) -> Mapping[str, Any]:
    return read_config(folder_of(origin))


def _settings(origin: Origin) -> Mapping[str, Any]:
    """The published settings of generation, empty where there are none."""
    file = folder_of(origin) / "generation_config.json"
    if not file.is_file():
        return {}
    with refused_as(WeightsError, f"{file}: is not JSON"):
        found = json.loads(file.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _language(origin: Origin, side: str, ids: Mapping[str, int]) -> str | None:
    token: str | None = origin.config.get(f"{side}_language")
    if token is not None and token not in ids:
        raise MultigraftError(
            f"backbone.{side}_language: these weights have no token {token!r}; "
            f"{did_you_mean(token, list(ids))}"
        )
    return token


def _with_token(
    tokenizer: dict[str, Any], old: str | None, new: str, number: int
) -> dict[str, Any]:
    """A tokenizer whose template has another language's token."""
    template = tokenizer.get("post_processor") or {}
    if old is None or template.get("type") != "TemplateProcessing":
        raise MultigraftError(
            "backbone.source_language: the tokenizer of these weights puts no language around a "
            "text; leave it out"
        )
    sides = {
        side: [
            {"SpecialToken": {**piece["SpecialToken"], "id": new}}
            if piece.get("SpecialToken", {}).get("id") == old
            else piece
            for piece in template[side]
        ]
        for side in ("single", "pair")
    }
    known = {**template["special_tokens"], new: {"id": new, "ids": [number], "tokens": [new]}}
    return {**tokenizer, "post_processor": {**template, **sides, "special_tokens": known}}
