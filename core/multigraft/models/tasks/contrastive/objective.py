"""Contrastive learning: the two values of a row get embeddings near each other, those of others
far from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.models.tasks.contrastive.losses import pairwise_sigmoid
from multigraft.models.tasks.contrastive.pair_rows import PairRows
from multigraft.models.tasks.contrastive.start import Start
from multigraft.models.tasks.contrastive.task import SIGLIP
from multigraft.models.tasks.in_batch_negatives import in_batch_negatives, negatives
from multigraft.runtime.answers.embeddings import BIAS, SCALE, id_of, output_of


class Contrastive(PairRows, Objective):
    """InfoNCE both ways (CLIP, Radford et al. 2021), or a sigmoid of each pair (SigLIP, Zhai et al.
    2023).

    Values that the readers read equal are one: where a caption stands in several rows, none of
    their pictures is a negative of it.
    """

    mixes_rows = True
    mixes_in_loss = True
    random_batches = True

    def __init__(self, brief: Brief) -> None:
        backbone: Any = brief.backbone
        self.widths = {name: branch.width for name, branch in backbone.named.items()}
        self.names = tuple(self.widths)
        self.start = Start.of(backbone.named, brief.options)

    def head(self) -> nn.Module:
        """A projection of each branch: of a tower of a dual encoder its own, else a new one."""
        return self.start.head(self.widths)

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The loss of each row; every row weighs 1."""
        ours, theirs = (outputs[output_of(name)].float() for name in self.names)
        our_ids, their_ids = (batch[id_of(name)] for name in self.names)
        allowed, scale = negatives(our_ids, their_ids, their_ids), outputs[SCALE][0]
        # bf16 would round a logit of 50 to quarters
        with torch.autocast(ours.device.type, enabled=False):
            if self.start.loss == SIGLIP:
                total = pairwise_sigmoid(ours, theirs, allowed, scale=scale, bias=outputs[BIAS][0])
            else:
                total = in_batch_negatives(
                    ours, theirs, allowed, temperature=1 / scale, symmetric=True
                )
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """An embedding of each branch [B, width], and what makes probabilities of cosines."""
        if outputs is None:
            raise ValueError("embeddings are served with their head")
        return outputs

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, and which value is which; what is found among all rows the answers tell."""
        ids = {id_of(name): batch[id_of(name)] for name in self.names}
        return {**super().measure(outputs, batch, loss), **ids}

    def save(self, folder: Path, head: nn.Module) -> None:
        """Let the ecosystem open towers of one dual encoder as that model."""
        savers = [space.save for space in self.start.spaces.values() if space.save is not None]
        if len(self.start.spaces) < len(self.names) or len(savers) != 1:
            return  # as of two text towers
        trained: Any = head
        savers[0](folder, {name: folder / name for name in self.names}, *trained.logits())
