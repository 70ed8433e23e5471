"""A plugin with networks of a few thousand weights, whose runs can be kept beside the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import multigraft as mg
import multigraft_speech
import multigraft_text
import multigraft_vision

BERT = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
GPT = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 48}
RESNET = {
    "architecture": "resnet18",
    "model_args": {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]},
    "data": {"input_size": [3, 32, 32], "crop_pct": 1.0},
}
LOGMEL = {"mels": 20, "width": 16, "depth": 1}


@mg.hookimpl
def register_backbones() -> Sequence[mg.Backbone]:
    """The in-tree families, each in a size of its own: ``pocket-bert-tiny`` and so on."""
    return [
        _pocket(multigraft_text, "bert", BERT),
        _pocket(multigraft_text, "gpt", GPT),
        _pocket(multigraft_vision, "resnet", RESNET),
        _pocket(multigraft_speech, "logmel", LOGMEL),
    ]


def _pocket(plugin: ModuleType, name: str, config: Mapping[str, Any]) -> mg.Backbone:
    family = next(each for each in plugin.register_backbones() if each.name == name)
    size = mg.Size(config=config)
    return replace(family, name=f"pocket-{name}", sizes={"tiny": size}, trial=None)
