"""A transformer that reads and a recurrence that writes: the students of Kim et al. 2019."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from multigraft.contracts.features import Batch, mean_pool
from multigraft.contracts.generation import Tensors
from multigraft_ssru import END, UNKNOWN, read_json

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
POSITIONS = 512
"""Sines have no end; a text that is written has one."""


class Attention(nn.Module):
    """Multi-head attention to keys and values that are computed apart: of a source, once."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def read(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, D] -> keys and values, [B, heads, S, D / heads]."""
        return self._by_head(self.k_proj(source)), self._by_head(self.v_proj(source))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, there: Tensor) -> Tensor:
        """[B, T, D], and which of the source is real, [B, S] -> [B, T, D]."""
        mask = there[:, None, None, :].bool()
        found = F.scaled_dot_product_attention(
            self._by_head(self.q_proj(x)), keys, values, attn_mask=mask
        )
        mixed: Tensor = self.out_proj(found.transpose(1, 2).flatten(2))
        return mixed

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Unit(nn.Module):
    """Simpler simple recurrent unit: ``c = f * c + (1 - f) * W x``, of which relu is the output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w, self.wf = nn.Linear(width, width, bias=False), nn.Linear(width, width)

    def forward(self, x: Tensor, real: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D], [B, T], [B, D] -> outputs and the last state; padding leaves it as it was."""
        gate, value = self.wf(x).to(state.dtype), self.w(x).to(state.dtype)
        read = at_once if torch.compiler.is_exporting() else one_by_one
        states = read(gate, value, real.bool()[..., None], state)
        return states.relu(), states[:, -1]


def one_by_one(gate: Tensor, value: Tensor, real: Tensor, state: Tensor) -> Tensor:
    """The states behind each token, [B, T, D], as the formula has it."""
    keep = torch.where(real, gate.sigmoid(), 1.0)
    added, states = (1 - keep) * value, []
    for place in range(value.shape[1]):
        state = keep[:, place] * state + added[:, place]
        states.append(state)
    return torch.stack(states, dim=1)


def at_once(gate: Tensor, value: Tensor, real: Tensor, state: Tensor) -> Tensor:
    """The same without a loop, for a graph: the gates between two tokens are one product, whose
    logarithm is a difference of sums."""
    kept = torch.where(real, F.logsigmoid(gate), 0.0).cumsum(1)
    added = torch.where(real, torch.sigmoid(-gate) * value, 0.0)
    place = torch.arange(value.shape[1], device=value.device)
    later = (place[:, None] < place)[None, :, :, None]
    shares = (kept[:, :, None] - kept[:, None]).masked_fill(later, -torch.inf).exp()
    return (shares * added[:, None]).sum(2) + kept.exp() * state[:, None]


class Layer(nn.Module):
    """What both sides end with: two linear maps, and a norm behind the sum."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.final_layer_norm = norm(width)

    def feed_forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        mixed: Tensor = self.final_layer_norm(x + self.fc2(self.fc1(x).relu()))
        return mixed


class Reading(Layer):
    """A layer of the encoder."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__(width, inner)
        self.self_attn, self.self_attn_layer_norm = Attention(width, heads), norm(width)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """[B, S, D], [B, S] -> [B, S, D]."""
        seen = self.self_attn(x, *self.self_attn.read(x), there)
        return self.feed_forward(self.self_attn_layer_norm(x + seen))


class Writing(Layer):
    """A layer of the decoder: it remembers by its unit, and looks at the source."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__(width, inner)
        self.ssru, self.ssru_layer_norm = Unit(width), norm(width)
        self.encoder_attn, self.encoder_attn_layer_norm = Attention(width, heads), norm(width)

    def forward(
        self, x: Tensor, real: Tensor, state: Tensor, source: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """[B, T, D], [B, T], [B, D]; keys, values and mask -> [B, T, D] and the last state."""
        found, state = self.ssru(x, real, state)
        x = self.ssru_layer_norm(x + found)
        x = self.encoder_attn_layer_norm(x + self.encoder_attn(x, *source))
        return self.feed_forward(x), state


def norm(width: int) -> nn.LayerNorm:
    """Layer normalisation as Marian has it."""
    return nn.LayerNorm(width, eps=1e-6)


class Student(nn.Module):
    """The backbone. Its parameters are called as those of the published folders."""

    head_bias = True

    def __init__(self, config: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.config, self.spec = dict(config), spec
        self.width: int = config["d"]
        shape = (self.width, config["heads"], config["ffn"])
        self.shared = nn.Embedding(config["vocab"], self.width)
        nn.init.normal_(self.shared.weight, std=self.width**-0.5)
        self.encoder = nn.ModuleList(Reading(*shape) for _ in range(config["enc"]))
        self.decoder = nn.ModuleList(Writing(*shape) for _ in range(config["dec"]))
        self.final_logits_bias = nn.Parameter(torch.zeros(config["vocab"]))

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The encoder's layers."""
        return list(self.encoder)

    @property
    def later(self) -> Sequence[nn.Module]:
        """The decoder's layers."""
        return list(self.decoder)

    @property
    def writing(self) -> mg.Writing:
        """A vector a layer goes from step to step; the start is read as zeros, whatever it is."""
        heads = self.config["heads"]
        seen = (heads, "source", self.width // heads)
        layers = range(len(self.decoder))
        end: int = self.config["eos"]
        return mg.Writing(
            state={f"{layer}": (self.width,) for layer in layers},
            memory={
                "mask": ("source",),
                **{f"{layer}.{part}": seen for layer in layers for part in ("key", "value")},
            },
            vocabulary=self.config["vocab"],
            max_length=POSITIONS,
            pad=self.spec["pad_id"],
            start=(end,),
            stop=(end,),
            suppress=(self.config["unk"],),
        )

    def forward(self, batch: Batch) -> mg.Features:
        """``input_ids`` and ``attention_mask``, [B, S] each -> what the encoder makes of them."""
        ids, mask = batch["input_ids"], batch["attention_mask"]
        x = self.embedded(ids) + self.placed(torch.arange(ids.shape[1], device=ids.device))
        for block in self.encoder:
            x = block(x, mask)
        return mg.Features(mean_pool(x, mask), x, mask.bool())

    def remember(self, features: mg.Features, batch: Batch) -> Tensors:
        """The keys and values that each layer of the decoder looks at."""
        memory = {"mask": batch["attention_mask"]}
        for number, layer in enumerate(self.later):
            keys, values = layer.encoder_attn.read(features.sequence)
            memory |= {f"{number}.key": keys, f"{number}.value": values}
        return memory

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and each layer's state behind the last."""
        real = new.mask[:, -new.ids.shape[1] :]
        begins = (new.positions == 0)[..., None]
        x = self.embedded(new.ids).masked_fill(begins, 0.0) + self.placed(new.positions)
        present = {}
        for number, layer in enumerate(self.later):
            source = [memory[name] for name in (f"{number}.key", f"{number}.value", "mask")]
            x, present[f"{number}"] = layer(x, real, past[f"{number}"], source)
        return F.linear(x[:, new.kept], self.shared.weight, self.final_logits_bias), present

    def embedded(self, ids: Tensor) -> Tensor:
        """[B, T] -> [B, T, D]."""
        scaled: Tensor = self.shared(ids) * math.sqrt(self.width)
        return scaled

    def placed(self, positions: Tensor) -> Tensor:
        """Sines, then cosines, of [..., T] -> [..., T, D]."""
        half = self.width // 2
        rates = torch.arange(half, device=positions.device) * (-math.log(10000) / (half - 1))
        angles = positions[..., None] * rates.exp()
        return torch.cat([angles.sin(), angles.cos()], dim=-1).to(self.shared.weight.dtype)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder like the published ones; it has no place for a ``head``."""
        save_file(
            {name: each.contiguous() for name, each in self.state_dict().items()}, folder / WEIGHTS
        )
        for name, content in ((CONFIG, self.config), (TOKENIZER, self.spec[TOKENIZER])):
            (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def build(origin: mg.Origin, spec: Mapping[str, Any]) -> Student:
    """A new student, or what a folder holds. Raises WeightsError."""
    if origin.path is None:
        return Student({**origin.config, **words_of(spec)}, spec)
    try:
        student = Student(read_json(origin.path / CONFIG), spec)
        student.load_state_dict(load_file(origin.path / WEIGHTS))
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise mg.WeightsError(
            f"{origin.path}: holds no weights of {origin.backbone}: {error}"
        ) from error
    return student


def words_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder's configuration says of the vocabulary."""
    tokenizer = spec[TOKENIZER]
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    return {
        "architecture": "ssru_marian",
        "vocab": len(tokenizer["model"]["vocab"]),
        "eos": ids[END],
        "unk": ids[UNKNOWN],
    }
