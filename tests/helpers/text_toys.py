from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

import multigraft_text as text
from multigraft import Brief, Origin
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Backbone
from multigraft.contracts.types import Spec
from multigraft_text.reader import TextReader

DOCUMENTS = [
    "The fox runs. It is quick and brown! Does the dog sleep?",
    "Rain falls on the hill. The river is high. Boats wait at the shore.",
    "A cook tastes the soup. She adds salt. It is good now.",
    "Trains leave at noon. People hurry. One of them has lost a hat.",
] * 5

LABELS = ("bad", "good", "other")

ENCODERS: dict[str, Any] = {
    "bert": {},
    "roberta": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
    "camembert": {"type_vocab_size": 1},
    "distilbert": {"dim": 64, "n_heads": 2, "n_layers": 2, "hidden_dim": 96},
    "electra": {"embedding_size": 32},
    "modernbert": {"classifier_pooling": "mean", "num_hidden_layers": 3},
}
DECODERS: dict[str, Any] = {
    "gpt2": {"n_inner": 96},
    "llama": {"num_key_value_heads": 1},
    "mistral": {"num_key_value_heads": 1},
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 32},
}
SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 140,
}


@dataclass(frozen=True)
class Grown:
    """A tiny backbone from scratch with its reader."""

    family: Backbone
    spec: Spec
    reader: TextReader
    module: Any

    def batch(self, raws: Sequence[Any]) -> dict[str, torch.Tensor]:
        rows = [self.reader.read(raw) for raw in raws]
        return {
            name: torch.from_numpy(array)
            for name, array in collate(rows, self.reader.fills).items()
        }

    def brief(self, **options: Any) -> Brief:
        return Brief(
            backbone=self.module, reader=self.reader, targets={}, options=options, modality="text"
        )


def origin(
    family: Backbone, *, path: Path | None = None, hub: str | None = None, **options: Any
) -> Origin:
    return Origin(
        backbone=f"{family.name}-tiny",
        size="tiny",
        config={**family.sizes["tiny"].config, **options},
        path=path,
        hub=hub,
    )


def grow(family: Backbone, **options: Any) -> Grown:
    torch.manual_seed(0)
    spec = family.reader(origin(family), {"vocabulary": 320, **options})
    assert text.TEXT.fit is not None
    spec = text.TEXT.fit(DOCUMENTS, spec)
    module = family.build(origin(family), spec).eval()
    # fresh biases are zero and norms one: mistakes would not show
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return Grown(family, spec, TextReader(spec), module)


def relative(kind: str, grown: Grown, folder: Path, **changed: Any) -> Any:
    """A random stock classifier of another architecture, saved beside the tokenizer of
    ``grown``."""
    torch.manual_seed(2)
    kinds = {**ENCODERS, **DECODERS}
    config = transformers.AutoConfig.for_model(
        kind,
        **{**SHAPE, **kinds[kind], **changed},
        vocab_size=400,
        num_labels=len(LABELS),
        pad_token_id=grown.spec["pad_id"],
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    grown.module.save(folder, head=None, labels=())
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return model
