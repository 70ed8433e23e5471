"""How a text tower's texts are read: by the tokenizer of its folder, to its last position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft import MultigraftError, Origin
from multigraft.contracts.types import Spec
from multigraft_text.clip.configuration import SIGLIP, tower_config
from multigraft_text.specs import spec_of, spec_to_learn
from multigraft_text.weights import folder_of


def reader_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader of the weights; from scratch one whose tokenizer is to be learned.

    SigLIP reads padding too, and was trained on rows of its full length: others are refused.
    """
    config = tower_config(origin)
    if config.model_type == SIGLIP:
        return {**_spec(origin, _whole(config, options), config), "full_length": True}
    return _spec(origin, options, config)


def _spec(origin: Origin, options: Mapping[str, Any], config: Any) -> Spec:
    if not origin.scratch:
        return spec_of(origin, options, folder_of(origin), config)
    style = "seq2seq" if config.model_type == SIGLIP else "clip"
    limit = config.max_position_embeddings
    return spec_to_learn(options, style=style, limit=limit, token_types=False)


def _whole(config: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    most = config.max_position_embeddings
    if options.get("max_length", most) != most:
        raise MultigraftError(
            f"reader.max_length: found {options['max_length']}; this SigLIP was trained on texts "
            f"padded to {most} tokens, and pools the last: leave it out"
        )
    return {**options, "max_length": most}
