"""Simpler simple recurrent units (Kim et al. 2019), whose state never grows, and a task that writes
with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from helpers.recurrent_toy import END, PAD, VOCABULARY
from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Tensors
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Spec

WIDTH, ROOM = 16, 40


class Unit(nn.Module):
    """``c = f * c + (1 - f) * W x``, for all tokens at once; ``f`` is 1 where a token is not real.

    The sum over the tokens before is one product with ``exp(log f + log f + ...)``, so that a graph
    needs no loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, hidden: Tensor, real: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        real = real.unsqueeze(-1).to(hidden.dtype)
        kept = (F.logsigmoid(self.gate(hidden)) * real).cumsum(1)  # [B, T, D]
        added = self.value(hidden) * (1 - torch.sigmoid(self.gate(hidden))) * real
        length = hidden.shape[1]
        later = torch.arange(length)[:, None] < torch.arange(length)[None, :]
        shares = (kept[:, :, None] - kept[:, None]).masked_fill(later[None, :, :, None], -torch.inf)
        states = (shares.exp() * added[:, None]).sum(2) + kept.exp() * state[:, None]
        return hidden + states.relu(), states[:, -1]


class Ssru(nn.Module):
    """The backbone."""

    width = WIDTH
    head_bias = True

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Unit() for _ in range(layers))

    def through(self, tokens: Tensor, real: Tensor, past: Tensors) -> tuple[Tensor, Tensors]:
        hidden, present = self.embedding(tokens), {}
        for number, unit in enumerate(self.blocks):
            hidden, present[f"{number}"] = unit(hidden, real, past[f"{number}"])
        return hidden, present

    def forward(self, batch: Batch) -> mg.Features:
        tokens, mask = batch["input_ids"], batch["attention_mask"]
        zeros = self.embedding.weight.new_zeros(len(tokens), WIDTH)
        past = {f"{number}": zeros for number in range(len(self.blocks))}
        sequence, present = self.through(tokens, mask, past)
        return mg.Features(present[f"{len(self.blocks) - 1}"], sequence, mask.bool())

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        save_model(self, str(folder / "model.safetensors"))


class Writer(nn.Module):
    """The backbone with its scores, a few tokens after others."""

    def __init__(self, backbone: Ssru, scores: nn.Linear) -> None:
        super().__init__()
        self.backbone, self.scores = backbone, scores

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        real = new.mask[:, -new.ids.shape[1] :]
        hidden, present = self.backbone.through(new.ids, real, past)
        return self.scores(hidden[:, new.kept]), present


class Head(nn.Module):
    """Scores of the token that follows."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        return {"logits": self.scores(features.sequence)}


class DigitModeling(mg.Objective):
    """Cross-entropy of each token but the first."""

    monitor = "loss"
    greater_is_better = False
    writer: type[Writer] = Writer

    def __init__(self, brief: mg.Brief) -> None:
        self.backbone = brief.backbone

    def head(self) -> nn.Module:
        return Head()

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        real, labels = batch["attention_mask"][:, 1:].float(), batch["input_ids"][:, 1:]
        logits = outputs["logits"][:, :-1].transpose(1, 2)
        each = F.cross_entropy(logits, labels, reduction="none") * real
        return mg.RowLoss(each.sum(1), real.sum(1))

    def generating(self, head: nn.Module) -> mg.Generating:
        backbone = self.backbone
        assert isinstance(head, Head) and isinstance(backbone, Ssru)
        return mg.Generating(
            decoder=self.writer(backbone, head.scores),
            writing=mg.Writing(
                state={f"{number}": (WIDTH,) for number in range(len(backbone.blocks))},
                vocabulary=VOCABULARY,
                max_length=ROOM,
                pad=PAD,
                start=(END,),
                stop=(END,),
            ),
            feed=lambda batch: (batch["input_ids"], batch["attention_mask"]),
            outputs=lambda logits, batch: {"logits": logits},
        )


def build(origin: mg.Origin, spec: Spec) -> Ssru:
    return Ssru(origin.config["layers"])
