"""Backbones by transformers' own names: ``transformers/<type>``, ``<owner>/<name>`` or a folder."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import CONFIG_MAPPING

from multigraft import MultigraftError, Origin, Size
from multigraft.contracts.types import Spec
from multigraft.errors import UnknownName, WeightsError, did_you_mean, refused_as
from multigraft.models.modes import evaluating
from multigraft.system.files import expanded
from multigraft_text.architectures import check_direction, direction
from multigraft_text.backbone import (
    TextBackbone,
    load_backbone,
    new_backbone,
    vocabulary_of,
)
from multigraft_text.options import OWN
from multigraft_text.specs import positions, spec_of, spec_to_learn
from multigraft_text.token_ids import token_ids
from multigraft_text.weights import UNDECLARED, any_config, folder_of

FAMILY = "transformers"
TINY = "-tiny"
"""The end of a type's name that asks for `SHAPE`."""
SHAPE: Mapping[str, Any] = {
    "hidden_size": 64,
    "embedding_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rotary_dim": 8,
    "intermediate_size": 128,
    "hidden_dim": 128,
    "max_position_embeddings": 128,
    "attention_types": [[["global", "local"], 1]],
}
"""The tiny size, as far as a type has these settings: for trials, not for use."""
STYLES = {"encoder": "bert", "decoder": "gpt"}
FAR = 1e-4
"""How far two ways to compute the same features may lie apart, of the largest."""


def find(name: str) -> Size | None:
    """The size behind ``transformers/<name>``.

    A folder, or a run's, begins with ``/``, ``.`` or ``~``; an owner and a name are the hub's; a
    model type is made from scratch, ``<type>-tiny`` small.

    Raises UnknownName, with the reason, for a type that cannot serve.
    """
    if name.startswith(("/", ".", "~")):
        folder = expanded(name)
        return Size(path=folder / "model" if (folder / "model").is_dir() else folder)
    if "/" in name:
        return Size(hub=name) if name.count("/") == 1 else None
    kind = name.removesuffix(TINY)
    try:
        direction(kind)
    except WeightsError as error:
        raise UnknownName(f"unknown backbone {FAMILY + '/' + name!r}: {error}") from error
    return Size(config={"model_type": kind, **({"tiny": True} if kind != name else {})})


def reader_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of the weights; from scratch one whose tokenizer is to be learned."""
    if not origin.scratch:
        folder = folder_of(origin)
        return spec_of(origin, options, folder, any_config(folder))
    config = _new_config(origin, pad_token_id=0)  # a learned tokenizer's first token pads
    return spec_to_learn(
        options,
        style=STYLES[direction(config.model_type)],
        limit=positions(config),
        token_types=getattr(config, "type_vocab_size", 0) > 1,
    )


def build(origin: Origin, spec: Spec) -> TextBackbone:
    """Build any encoder or decoder of transformers. Raises WeightsError where its features would
    not be those of its own classifier, or would depend on padding."""
    if origin.scratch:
        config = _new_config(origin, **vocabulary_of(spec), **_ends(origin, spec))
        with refused_as(MultigraftError, f"{origin.backbone}: no network can be made of it"):
            module = new_backbone(config, origin, spec)
        where = origin.backbone
    else:
        folder = folder_of(origin)
        _refuse_shape(origin)
        module = load_backbone(folder, any_config(folder), origin, spec)
        where = str(folder)
    _ = module.blocks  # raises where there are none to tell apart
    with evaluating(module), torch.no_grad():
        _check_features(module, where)
    return module


def _new_config(origin: Origin, **words: int) -> Any:
    """The configuration of a type without weights: the size, then what the recipe sets."""
    kind = origin.config.get("model_type")
    if kind is None:
        raise WeightsError(
            f"{origin.backbone} names weights, which weights: scratch leaves out; for a network "
            f"without weights name its type, as {FAMILY}/roberta"
        )
    made = CONFIG_MAPPING[kind]
    known = {*inspect.signature(made).parameters, *made.attribute_map, *UNDECLARED.get(kind, ())}
    size = {name: value for name, value in SHAPE.items() if name in known}
    if "qk_rope_head_dim" in known:  # latent attention: heads have two parts, and keys of their own
        size = {name: size[name] for name in size.keys() - {"head_dim", "num_key_value_heads"}}
    asked = origin.config.get("config", {})
    if strange := sorted(asked.keys() - known):
        raise MultigraftError(
            f"backbone.config: a {kind!r} has no setting {strange[0]!r}; "
            f"{did_you_mean(strange[0], known)}"
        )
    with refused_as(MultigraftError, f"backbone.config: no {kind!r} can be made of it"):
        config = made(**{**(size if origin.config.get("tiny") else {}), **words, **asked})
    check_direction(config)
    return config


def _ends(origin: Origin, spec: Spec) -> dict[str, int]:
    """Where a decoder's texts begin and end."""
    if direction(origin.config.get("model_type")) == "encoder":
        return {}
    end = token_ids(spec)[spec["special"]["eos_token"]]
    return {"bos_token_id": end, "eos_token_id": end}


def _refuse_shape(origin: Origin) -> None:
    if origin.config.get("config") and not origin.own:
        raise MultigraftError(
            "backbone.config: applies to a network without weights; these weights say themselves "
            "what they are of"
        )


def _check_features(module: TextBackbone, where: str) -> None:
    """Compare two rows with what transformers' classifier reads of them, and one with itself
    alone."""
    batch = _two_rows(module)
    with refused_as(WeightsError, f"{where}: its network cannot take a step"):
        features, alone = module(batch), module(_first(batch, 1, 5))
        own = _classified(module, batch)
    assert features.sequence is not None and alone.sequence is not None
    if features.sequence.shape != (*batch["input_ids"].shape, module.width):
        raise WeightsError(
            f"{where}: gives positions as {tuple(features.sequence.shape[1:])} of "
            f"{batch['input_ids'].shape[1]} tokens and width {module.width}: its base has other "
            "features than its classifier reads"
        )
    if not module.causal and module.pooling == OWN and _gap(own, features.pooled) > FAR:
        raise WeightsError(
            f"{where}: its classifier reads other features than those of its base model alone"
        )
    if (
        max(
            _gap(alone.pooled, features.pooled[1:]), _gap(alone.sequence, features.sequence[1:, :5])
        )
        > FAR
    ):
        raise WeightsError(
            f"{where}: answers depend on padding: a row gives other features beside a longer one "
            "than alone, so nothing could be computed in batches"
        )


def _two_rows(module: TextBackbone) -> dict[str, Tensor]:
    """Nine tokens, and five padded to nine."""
    spec = module.spec
    special = {*spec["special"].values()}
    plain = sorted(number for token, number in token_ids(spec).items() if token not in special)
    ids = torch.tensor([plain[place * 7 % len(plain)] for place in range(18)]).reshape(2, 9)
    mask = torch.ones_like(ids)
    ids[1, 5:], mask[1, 5:] = spec["pad_id"], 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def _first(batch: Mapping[str, Tensor], row: int, length: int) -> dict[str, Tensor]:
    return {name: tensor[row : row + 1, :length] for name, tensor in batch.items()}


def _classified(module: TextBackbone, batch: Mapping[str, Tensor]) -> Tensor:
    """What the last linear layer of transformers' own classifier reads of a batch: [B, D]."""
    names = {"input_ids", "attention_mask", "token_type_ids"} & inspect.signature(
        module.model.forward
    ).parameters.keys()
    if not module.spec["token_types"]:
        names -= {"token_type_ids"}
    logits: Tensor = module.model(**{name: batch[name] for name in names}).logits
    return logits


def _gap(wanted: Tensor, found: Tensor) -> float:
    """The largest difference, of the largest number."""
    return float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1e-9))
