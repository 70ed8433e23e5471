"""Reader specs: what a backbone's weights expect, or what is learned where there are none."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multigraft import MultigraftError, Origin
from multigraft.contracts.readers import SPEC_BYTES
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.system.files import check_plain
from multigraft_text.saving import CLOSING
from multigraft_text.sentencepiece.folders import converted
from multigraft_text.weights import DECODERS, ENCODERS, config_of, folder_of

DEFAULT_LENGTH = 128
TOKENIZER_FILES = (".txt", ".json")
"""What older tokenizers are kept in."""
LEARNED = ("tokenizer", "vocabulary", "lowercase")
USUAL: Mapping[str, str] = {
    "bert": "wordpiece",
    "gpt": "bpe",
    "clip": "bpe",
    "seq2seq": "bpe",
    "t5": "bpe",
    "bart": "bpe",
}
"""The tokenizer that is learned where none is asked for."""
ROLES: Mapping[str, tuple[str, ...]] = {
    "pad_token": ("[PAD]", "<pad>", "<|pad|>"),
    "unk_token": ("[UNK]", "<unk>", "<|unk|>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("[MASK]", "<mask>"),
    "bos_token": ("<s>", "<|endoftext|>"),
    "eos_token": ("</s>", "<|endoftext|>"),
}
"""The tokens that usually play a role, for tokenizers that do not say."""

UNBOUNDED = 2**20
OFFSET_POSITIONS = (
    *("roberta", "xlm-roberta", "camembert", "data2vec-text", "esm", "mpnet"),
    *("roberta-prelayernorm", "xlm-roberta-xl", "xmod"),
)
"""Models that number positions from the padding token's id + 1 on, and so have fewer of them."""


def encoder_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of a BERT: its weights' own, or a WordPiece that is to be learned."""
    if origin.scratch:
        return _first_spec(origin, options, "bert")
    folder = folder_of(origin)
    return spec_of(origin, options, folder, config_of(folder, ENCODERS))


def decoder_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of a GPT: its weights' own, or a byte-level BPE that is to be learned."""
    if origin.scratch:
        return _first_spec(origin, options, "gpt")
    folder = folder_of(origin)
    return spec_of(origin, options, folder, config_of(folder, DECODERS))


def spec_of(origin: Origin, options: Mapping[str, Any], folder: Path, config: Any) -> Spec:
    """The reader of the weights in ``folder``, which have this configuration."""
    for name in LEARNED:
        if name in options:
            raise MultigraftError(
                f"reader.{name}: applies where a tokenizer is learned, but the weights of "
                f"{origin.backbone} bring theirs; remove it, or set backbone.weights to scratch"
            )
    tokenizer = _tokenizer_json(folder)
    special = _special(folder, tokenizer)
    # GPT-2 has none: its end token pads
    pad = special.setdefault("pad_token", special.get("eos_token", ""))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    if pad not in ids:
        raise WeightsError(f"{folder}: its tokenizer has neither a padding nor an end token")
    return {
        "kind": "text",
        "max_length": _length(options, positions(config)),
        "tokenizer.json": tokenizer,
        "pad_id": ids[pad],
        "token_types": getattr(config, "type_vocab_size", 0) > 1,
        "special": special,
        **_asked(options),
    }


def positions(config: Any) -> int:
    """Number of tokens a model can read at once; `UNBOUNDED` where it has no positions to run out
    of."""
    table: int = getattr(config, "max_position_embeddings", None) or UNBOUNDED
    return table - config.pad_token_id - 1 if config.model_type in OFFSET_POSITIONS else table


def _first_spec(origin: Origin, options: Mapping[str, Any], style: str) -> Spec:
    limit = origin.config.get("max_position_embeddings") or origin.config.get("n_positions")
    return spec_to_learn(
        options,
        style=style,
        limit=limit or (512 if style == "bert" else 1024),
        token_types=style == "bert",
    )


def spec_to_learn(options: Mapping[str, Any], *, style: str, limit: int, token_types: bool) -> Spec:
    """The reader of a backbone without weights, of one of the styles in `USUAL`: its tokenizer is
    to be learned."""
    return {
        "kind": "text",
        "max_length": _length(options, limit),
        "tokenizer.json": None,
        "token_types": token_types,
        **_asked(options),
        "learn": {
            "style": style,
            "tokenizer": options.get("tokenizer") or USUAL[style],
            "vocabulary": options.get("vocabulary", 8000),
            "lowercase": options.get("lowercase", True),
        },
    }


def _asked(options: Mapping[str, Any]) -> Spec:
    """What stands in a spec only where it is asked for."""
    return {name: True for name in ("places", "passage", "refuse_replaced") if options.get(name)}


def _length(options: Mapping[str, Any], limit: int) -> int:
    length: int = options.get("max_length", min(DEFAULT_LENGTH, limit))
    if length > limit:
        raise MultigraftError(
            f"reader.max_length: found {length}; the backbone has {limit} positions, so at most "
            f"{limit}"
        )
    return length


def _tokenizer_json(folder: Path) -> dict[str, Any]:
    settings, file = _json(folder / "tokenizer_config.json"), folder / "tokenizer.json"
    tokenizer: dict[str, Any] | None
    if file.is_file():
        tokenizer = json.loads(file.read_text(encoding="utf-8"))
    else:
        tokenizer = converted(folder, _json(folder / "config.json").get("model_type"), settings)
    tokenizer = tokenizer or json.loads(_converted(folder))
    closing = settings.get(CLOSING, tokenizer.get("post_processor"))
    return {**tokenizer, "truncation": None, "padding": None, "post_processor": closing}


def _converted(folder: Path) -> str:
    """What transformers makes of older tokenizer files, as ``vocab.txt``."""
    from transformers import AutoTokenizer

    try:
        with _without_paths(folder) as copied:
            tokenizer = AutoTokenizer.from_pretrained(
                copied, local_files_only=True, trust_remote_code=False
            )
            text: str = tokenizer.backend_tokenizer.to_str()
    except (OSError, ValueError, ImportError, AttributeError) as error:
        raise WeightsError(
            f"{folder}: holds no tokenizer.json, and no tokenizer could be made of its other "
            "files; copy the tokenizer of these weights into it"
        ) from error
    return text


@contextmanager
def _without_paths(folder: Path) -> Iterator[Path]:
    """Copy a tokenizer's files, without the file names in settings, which would be opened."""
    with tempfile.TemporaryDirectory(prefix="multigraft-tokenizer-") as place:
        copied = Path(place)
        for file in sorted(path for path in folder.iterdir() if path.suffix in TOKENIZER_FILES):
            check_plain(file, limit=SPEC_BYTES)
            shutil.copyfile(file, copied / file.name)
        kind = {"model_type": _json(folder / "config.json").get("model_type")}
        settings = {
            key: value
            for key, value in _json(folder / "tokenizer_config.json").items()
            if not key.endswith(("_file", "_files", "_path"))
            and key not in ("auto_map", "name_or_path")
        }
        (copied / "config.json").write_text(json.dumps(kind), encoding="utf-8")
        (copied / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        yield copied


def _special(folder: Path, tokenizer: Mapping[str, Any]) -> dict[str, str]:
    """Role -> token, as the folder's files say, else by the usual names."""
    known = {token["content"] for token in tokenizer["added_tokens"]}
    said = {**_json(folder / "special_tokens_map.json"), **_json(folder / "tokenizer_config.json")}
    special = {}
    for role, usual in ROLES.items():
        candidates = (_content(said[role]),) if said.get(role) else usual
        found = next((token for token in candidates if token in known), None)
        if found is not None:
            special[role] = found
    return special


def _content(token: Any) -> str | None:
    return token.get("content") if isinstance(token, dict) else token


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
