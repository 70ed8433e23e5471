"""A plugin with encoder-decoders of transformers, T5 and BART through one adapter, and a task from
text to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import EncoderDecoderCache

import multigraft as mg
from multigraft.contracts.features import Batch, mean_pool
from multigraft.contracts.generation import PAST, Tensors, read_through
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays, Spec
from multigraft_text.specs import token_ids
from multigraft_text.writing import cache_from, cache_to

LAYERS, HEADS, WIDTH, ROOM = 2, 2, 16, 24
"""The decoder of the T5 has one layer only."""
IGNORED = -100


class EncoderDecoder(nn.Module):
    """A T5 or a BART: its encoder gives the features, its decoder writes."""

    head_bias = True
    width = HEADS * WIDTH

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        for stack in (model.get_encoder(), model.get_decoder()):
            if "layers" in stack._modules:  # BART registers a norm behind them that acts before
                stack._modules["layers"] = stack._modules.pop("layers")

    @property
    def blocks(self) -> Sequence[nn.Module]:
        return _layers(self.model.get_encoder())

    @property
    def later(self) -> Sequence[nn.Module]:
        return _layers(self.model.get_decoder())

    def forward(self, batch: Batch) -> mg.Features:
        mask = batch["attention_mask"]
        states = self.model.get_encoder()(input_ids=batch["input_ids"], attention_mask=mask)
        sequence = states.last_hidden_state
        return mg.Features(mean_pool(sequence, mask), sequence, mask.bool())

    def remember(self, features: mg.Features, batch: Batch) -> Tensors:
        """The keys and values of cross-attention, [B, heads, source, width] each."""
        assert features.sequence is not None
        memory = {"mask": batch["attention_mask"]}
        for number, layer in enumerate(self.later):
            for name, linear in _cross_attention(layer).items():
                states = linear(features.sequence).unflatten(-1, (HEADS, WIDTH))
                memory[f"{number}.{name}"] = states.transpose(1, 2)
        return memory

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        cross = {name: tensor for name, tensor in memory.items() if name != "mask"}
        cache = EncoderDecoderCache(cache_from(past), cache_from(cross))
        cache.is_updated = dict.fromkeys(range(len(self.later)), True)
        rows, source = memory["mask"].shape
        hidden = self.model.get_decoder()(
            input_ids=new.ids,
            encoder_hidden_states=memory["0.key"].new_zeros(rows, source, self.width),
            encoder_attention_mask=memory["mask"],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, new.kept]
        if getattr(self.model.config, "scale_decoder_outputs", False):
            hidden = hidden * self.width**-0.5
        logits = self.model.lm_head(hidden) + getattr(self.model, "final_logits_bias", 0)
        return logits, cache_to(cache.self_attention_cache)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        self.model.save_pretrained(folder)


def _layers(stack: Any) -> Sequence[nn.Module]:
    return list(stack.block if hasattr(stack, "block") else stack.layers)


def _cross_attention(layer: Any) -> Mapping[str, nn.Module]:
    if hasattr(layer, "encoder_attn"):
        return {"key": layer.encoder_attn.k_proj, "value": layer.encoder_attn.v_proj}
    attention = layer.layer[1].EncDecAttention
    return {"key": attention.k, "value": attention.v}


class Taught(nn.Module):
    """The decoder behind the true tokens; its weights are the backbone's."""

    def __init__(self, decoder: nn.Module, objective: TextToText) -> None:
        super().__init__()
        self._tied = (decoder, objective)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        decoder: Any
        decoder, objective = self._tied
        tokens, real = objective.feed(batch)
        memory = decoder.remember(features, batch)
        return {"logits": read_through(decoder, objective.writing, tokens, real, memory)}


class TextToText(mg.Objective):
    """Cross-entropy of each token of the column ``target``; judged by the texts that are right."""

    monitor = "loss"
    greater_is_better = False
    fills: Mapping[str, float] = {"labels": IGNORED}

    def __init__(self, brief: mg.Brief) -> None:
        self.decoder: Any = brief.backbone
        self.reader = brief.reader
        config, keys = self.decoder.model.config, (HEADS, PAST, WIDTH)
        layers = len(self.decoder.later)
        names = [f"{layer}.{part}" for layer in range(layers) for part in ("key", "value")]
        self.writing = mg.Writing(
            state=dict.fromkeys(names, keys),
            memory={**dict.fromkeys(names, (HEADS, "source", WIDTH)), "mask": ("source",)},
            vocabulary=config.vocab_size,
            max_length=ROOM,
            pad=config.pad_token_id,
            start=(config.decoder_start_token_id,),
            stop=(config.eos_token_id,),
        )

    def head(self) -> nn.Module:
        return Taught(self.decoder, self)

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        return {"labels": self.reader.read(row["target"])["input_ids"]}

    def feed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        labels = batch["labels"]
        shifted = F.pad(labels[:, :-1], (1, 0), value=self.writing.start[0])
        return shifted.masked_fill(shifted == IGNORED, self.writing.pad), (labels != IGNORED).long()

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        labels = batch["labels"]
        each = F.cross_entropy(
            outputs["logits"].transpose(1, 2), labels, reduction="none", ignore_index=IGNORED
        )
        return mg.RowLoss(each.sum(1), (labels != IGNORED).sum(1).float())

    def generating(self, head: nn.Module) -> mg.Generating:
        return mg.Generating(
            decoder=self.decoder,
            writing=self.writing,
            feed=self.feed,
            outputs=lambda logits, batch: {"logits": logits},
            judged=mg.WrittenMetric(
                metric="exact", greater_is_better=True, measure=exact, limit=ROOM - 1
            ),
        )

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        right = {"exact": float(kept["exact"].mean())} if "exact" in kept else {}
        return {**super().summarise(kept), **right}


def exact(texts: Sequence[Sequence[int]], batch: Batch) -> dict[str, Tensor]:
    """Which texts are the target, token by token."""
    labels = [row[row != IGNORED].tolist() for row in batch["labels"]]
    pairs = zip(texts, labels, strict=True)
    return {"exact": torch.tensor([float(list(text) == label) for text, label in pairs])}


def build_t5(origin: mg.Origin, spec: Spec) -> nn.Module:
    config = transformers.T5Config(
        d_model=HEADS * WIDTH, d_kv=WIDTH, d_ff=48, num_layers=LAYERS, num_decoder_layers=1,
        num_heads=HEADS,
        dropout_rate=0.0, decoder_start_token_id=spec["pad_id"], **_special(spec),
    )  # fmt: skip
    return EncoderDecoder(
        transformers.T5ForConditionalGeneration._from_config(config, attn_implementation="eager")
    )


def build_bart(origin: mg.Origin, spec: Spec) -> nn.Module:
    config = transformers.BartConfig(
        d_model=HEADS * WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, dropout=0.0,
        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
        encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=80,
        bos_token_id=None, forced_eos_token_id=None, decoder_start_token_id=_end(spec),
        **_special(spec),
    )  # fmt: skip
    return EncoderDecoder(
        transformers.BartForConditionalGeneration._from_config(config, attn_implementation="eager")
    )


def _special(spec: Spec) -> dict[str, int]:
    ids = token_ids(spec)
    return {
        "vocab_size": max(ids.values()) + 1,
        "pad_token_id": spec["pad_id"],
        "eos_token_id": _end(spec),
    }


def _end(spec: Spec) -> int:
    return token_ids(spec)[spec["special"]["eos_token"]]


class Plugin:
    """Two families, one task."""

    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        return [
            mg.Backbone(
                name=name,
                modality="text",
                sizes={"tiny": mg.Size(config={"n_positions": 64})},
                build=build,
                reader=mg.Lazy("multigraft_text.specs:decoder_spec"),
            )
            for name, build in (("toy-t5", build_t5), ("toy-bart", build_bart))
        ]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [
            mg.Task(
                name="text-to-text",
                stage="finetune",
                modalities=("text",),
                columns=("target",),
                objective=TextToText,
                samples=lambda rng, raws: {"target": [str(raw)[:12] or "a" for raw in raws]},
            )
        ]
