"""Model types of transformers: which read as encoders or decoders, and why others do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from transformers import __version__
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from multigraft.errors import WeightsError, did_you_mean, shown

Direction = Literal["encoder", "decoder"]

OF_PAGES = "reads where words stand on a page or in a table, which no text says"
OF_PICTURES = "reads pictures beside texts"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("layoutlm", "layoutlmv2", "layoutlmv3", "lilt", "markuplm", "tapas"), OF_PAGES
    ),
    **dict.fromkeys(("gemma3", "modernvbert", "ultravbert", "qwen3_5"), OF_PICTURES),
    "ibert": "computes as if in integers, which its language modeling head does not",
    "canine": "reads characters by their code points, for which there is no tokenizer.json",
    "perceiver": "reads bytes, for which there is no tokenizer.json",
    "luke": "reads entities beside words, which no text says",
    "longformer": "attends to the first token otherwise where it classifies rows than where it "
    "classifies tokens",
    "reformer": "pads each row to a length of its own",
    "xlnet": "reads the tokens of a row in permuted orders",
}
"""What would pass by the rule below, and is no text backbone."""


USUAL = ("bert", "roberta", "deberta-v2", "modernbert", "gpt2", "llama", "qwen3")
"""Types that are told of where a name is like none."""


def direction(kind: object) -> Direction:
    """How a model type reads. Raises WeightsError, with the reason, where it cannot serve.

    An encoder has a masked language model in transformers, a decoder a causal one alone; both have
    a sequence classifier.

    >>> direction("deberta-v2"), direction("qwen3")
    ('encoder', 'decoder')
    """
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING_NAMES:
        raise WeightsError(_unknown(str(kind)))
    if reason := _reason(kind):
        raise WeightsError(f"model type {kind!r} is no text backbone: it {reason}")
    return "encoder" if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "decoder"


def check_direction(config: Any) -> None:
    """Raise WeightsError for an encoder that was configured to read from left to right."""
    kind = config.model_type
    if direction(kind) == "encoder" and (
        getattr(config, "is_decoder", False) or getattr(config, "causal", False)
    ):
        raise WeightsError(
            f"a {kind!r} that reads from left to right (is_decoder or causal in its configuration) "
            "is no text backbone: give weights of one that reads both ways"
        )


def _reason(kind: str) -> str | None:
    if kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        return "is an encoder-decoder, which the families t5, bart and marian open"
    if kind in REFUSED:
        return REFUSED[kind]
    if kind in MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES:
        return "finds objects in pictures; those that can be backbones are named 'detr/<type>'"
    if kind not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return f"has no sequence classifier in transformers {__version__}"
    modelled = {*MODEL_FOR_MASKED_LM_MAPPING_NAMES, *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}
    return None if kind in modelled else f"has no language model in transformers {__version__}"


def _unknown(kind: str) -> str:
    meant = did_you_mean(kind, CONFIG_MAPPING_NAMES)
    told = meant if meant.endswith("?") else f"known are {', '.join(USUAL)} and many more."
    return (
        f"transformers {__version__} has no model type {shown(kind)}: {told} A newer release may "
        "have it; code that lies beside weights (remote code) is never run. Weights on the hub are "
        "named owner/name, a folder begins with ./ or /"
    )
