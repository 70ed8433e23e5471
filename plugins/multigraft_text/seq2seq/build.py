"""Build encoder-decoders: T5, BART and Marian from scratch, and what a folder of weights holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from transformers import AutoModelForSeq2SeqLM, BartConfig, GenerationConfig, MarianConfig, T5Config

from multigraft import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import budget, check_complete, check_taken, check_weights
from multigraft.system.quiet import quiet_transformers
from multigraft_text.seq2seq.module import EncoderDecoder, dissimilarity
from multigraft_text.token_ids import token_ids
from multigraft_text.weights import SEQ2SEQ, config_of, folder_of, open_weights

OPTIONS = ("dropout", "prefix", "source_language", "target_language")
"""What of an origin's configuration is no shape."""
EAGER = ("t5", "mt5", "umt5", "mvp")
"""Those that are exported with plain attention only, or have no other."""
TOLERANCE = 1e-4
"""How far our steps may lie from the model's own forward pass, relative to the largest logit."""


def build_t5(origin: Origin, spec: Spec) -> nn.Module:
    """A T5 (Raffel et al. 2020), or what the weights hold."""
    if not origin.scratch:
        return load(origin, spec)
    dropout = {"dropout_rate": origin.config["dropout"]} if "dropout" in origin.config else {}
    start = {"decoder_start_token_id": spec["pad_id"]}
    return _scratch(T5Config(**_shape(origin), **_special(spec), **start, **dropout), spec)


def build_bart(origin: Origin, spec: Spec) -> nn.Module:
    """A BART (Lewis et al. 2020), or what the weights hold; it begins with the end token."""
    if not origin.scratch:
        return load(origin, spec)
    return _scratch(BartConfig(**_stacks(origin, spec, start=_end(spec))), spec)


def build_marian(origin: Origin, spec: Spec) -> nn.Module:
    """A Marian (Junczys-Dowmunt et al. 2018), or what the weights hold; it begins with padding."""
    if not origin.scratch:
        return load(origin, spec)
    own = {"scale_embedding": True, "static_position_embeddings": True}
    return _scratch(MarianConfig(**_stacks(origin, spec, start=spec["pad_id"]), **own), spec)


def load(origin: Origin, spec: Spec) -> EncoderDecoder:
    """The encoder-decoder in a folder. Raises WeightsError with what is wrong with it."""
    folder = folder_of(origin)
    check_weights(folder)
    config = config_of(folder, SEQ2SEQ)
    if max(token_ids(spec).values()) >= config.vocab_size:
        raise WeightsError(
            f"{folder}: its tokenizer has ids up to {max(token_ids(spec).values())}, its "
            f"embeddings only {config.vocab_size} rows; tokenizer and weights do not belong "
            "together"
        )
    for name in ("dropout", "dropout_rate"):
        if "dropout" in origin.config and hasattr(config, name):
            setattr(config, name, origin.config["dropout"])
    made = {"config": config, "attn_implementation": _attention(config)}
    unusable = f"{folder}: no network can be built as its config.json says"
    with refused_as(WeightsError, unusable), quiet_transformers(), budget(folder):
        AutoModelForSeq2SeqLM.from_config(config)
    model, loaded = open_weights(AutoModelForSeq2SeqLM, folder, **made)
    check_complete(folder, type(model).__name__, loaded["missing_keys"])
    check_taken(folder, model, "", loaded["unexpected_keys"])
    module = _tried(EncoderDecoder(model, spec), str(folder))
    _begin_texts(model, module.writing.start)
    return module


def _begin_texts(model: Any, start: Sequence[int]) -> None:
    """Let transformers' own `generate` begin texts as ours begin, from the folder that is saved
    too."""
    settings = model.generation_config
    settings.decoder_start_token_id = start[0]
    settings.forced_bos_token_id = start[1] if len(start) > 1 else None


def _tried(module: EncoderDecoder, name: str) -> EncoderDecoder:
    """Compare the steps of a module with its model, which shows what was taken for another part."""
    with refused_as(WeightsError, f"{name}: its network cannot take a step"):
        far = dissimilarity(module.eval())
    if not far <= TOLERANCE:
        raise WeightsError(
            f"{name}: read in steps, a {type(module.model).__name__} gives other logits than at "
            f"once (they differ by {far:.2g} of the largest); it is not built as T5, BART and "
            "Marian are, so it cannot be exported"
        )
    module.train()
    return module


def _scratch(config: Any, spec: Spec) -> EncoderDecoder:
    with quiet_transformers():
        model = AutoModelForSeq2SeqLM.from_config(config, attn_implementation=_attention(config))
    model.generation_config = GenerationConfig.from_model_config(config)
    return EncoderDecoder(model, spec)


def _attention(config: Any) -> str:
    return "eager" if config.model_type in EAGER else "sdpa"


def _shape(origin: Origin) -> dict[str, Any]:
    """What the size says of the architecture."""
    return {name: value for name, value in origin.config.items() if name not in OPTIONS}


def _stacks(origin: Origin, spec: Spec, *, start: int) -> Mapping[str, Any]:
    """The settings of a BART or a Marian: both stacks alike, and no token that is forced."""
    shape = _shape(origin)
    layers, heads, inner = (shape.pop(name) for name in ("layers", "heads", "ffn_dim"))
    both = {"layers": layers, "attention_heads": heads, "ffn_dim": inner}
    sides = {
        f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in both.items()
    }
    dropout = {"dropout": origin.config["dropout"]} if "dropout" in origin.config else {}
    free = {"bos_token_id": None, "forced_bos_token_id": None, "forced_eos_token_id": None}
    special = {**_special(spec), "decoder_start_token_id": start, **free}
    return {**shape, **sides, **special, **dropout}


def _special(spec: Spec) -> dict[str, int]:
    return {
        "vocab_size": max(token_ids(spec).values()) + 1,
        "pad_token_id": spec["pad_id"],
        "eos_token_id": _end(spec),
    }


def _end(spec: Spec) -> int:
    return token_ids(spec)[spec["special"]["eos_token"]]
