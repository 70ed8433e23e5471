"""A text tower of a dual encoder as a backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPTextModelWithProjection

from multigraft import Features, SharedSpace
from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft.system.quiet import quiet_transformers
from multigraft_text.clip.whole import save_whole
from multigraft_text.saving import save_tokenizer


class TextTower(nn.Module):
    """A text encoder of transformers' CLIP or SigLIP, without the layer that projects.

    That is no part of it until a head takes it (`shared_space`).
    """

    head_bias = True

    def __init__(self, model: Any, spec: Spec, shared_space: SharedSpace | None) -> None:
        super().__init__()
        self.model, self.spec = model, spec
        self.shared_space = shared_space
        """None where the weights lack the projection."""
        self.width: int = model.config.hidden_size

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The embeddings, then the layers."""
        return [self.model.embeddings, *self.model.encoder.layers]

    def forward(self, batch: Batch) -> Features:
        """``input_ids`` and ``attention_mask`` [B, T] -> Features, pooled at the last token.

        That is CLIP's end-of-text token. Of SigLIP it is the last position, whose mask is left out,
        as in its training.
        """
        ids, mask = batch["input_ids"], batch["attention_mask"]
        told = None if self.spec.get("full_length") else mask
        sequence = self.model(input_ids=ids, attention_mask=told).last_hidden_state
        last = (mask.sum(1) - 1).clamp(min=0)
        pooled = sequence[torch.arange(len(ids), device=ids.device), last]
        return Features(pooled=pooled, sequence=sequence, mask=mask.bool())

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder that ``CLIPTextModelWithProjection`` opens, or ``SiglipTextModel``.

        Neither has a place for a ``head``.
        """
        del head, labels
        with quiet_transformers():
            self._save(folder)
        save_tokenizer(self.spec, folder, writes=False)

    def _save(self, folder: Path) -> None:
        space = self.shared_space
        if space is None:
            self.model.save_pretrained(folder)
        elif space.model == "siglip":
            self.model.head = space.projection
            self.model.save_pretrained(folder)
            self.model.head = nn.Identity()
        else:
            with torch.device("meta"):
                whole: Any = CLIPTextModelWithProjection(self.model.config)
            whole.text_model, whole.text_projection = self.model, space.projection
            whole.save_pretrained(folder)


def clip_tower(whole: Any, spec: Spec, log_scale: float | None, *, projected: bool) -> TextTower:
    """The tower of a ``CLIPTextModelWithProjection``."""
    space = SharedSpace(
        model="clip",
        width=whole.config.projection_dim,
        projection=whole.text_projection,
        loss="infonce",
        log_scale=log_scale,
        save=save_whole,
    )
    return TextTower(whole.text_model, spec, space if projected else None)


def siglip_tower(model: Any, spec: Spec, logits: Mapping[str, float]) -> TextTower:
    """The tower of a ``SiglipTextModel``, whose last layer projects."""
    projection, model.head = model.head, nn.Identity()
    space = SharedSpace(
        model="siglip",
        width=projection.out_features,
        projection=projection,
        loss="siglip",
        log_scale=logits.get("logit_scale"),
        bias=logits.get("logit_bias"),
        save=save_whole,
    )
    return TextTower(model, spec, space)
