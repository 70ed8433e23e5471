"""Sentence similarity: texts that belong together get embeddings near each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft import Brief, Features, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import LENGTHS, Outputs
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.in_batch_negatives import in_batch_negatives, negatives
from multigraft.runtime.answers.embedding import CANDIDATE, CANDIDATE_ID, VALUE_ID
from multigraft_text.sentence_modules import save_embedder
from multigraft_text.sentence_pooling import MEAN, POOLINGS
from multigraft_text.similarity.columns import stacked
from multigraft_text.similarity.head import EmbeddingHead
from multigraft_text.similarity.losses import SCORE_LOSSES
from multigraft_text.similarity.paired_rows import NEGATIVE_ID, PairedRows
from multigraft_text.similarity.pairs import SCORE, SCORES, TRIPLETS


class SentenceSimilarity(PairedRows, Objective):
    """In-batch negatives for pairs and triplets, a loss of cosines for pairs with scores.

    A batch holds the tokens of the rows' texts, below them those of their positives, and of
    triplets those of their negatives.
    """

    brief: Brief
    mixes_rows = True
    mixes_in_loss = True
    random_batches = True

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        self.pooling: str = _pooling_of(brief.backbone)

    def head(self) -> nn.Module:
        """Pooling and normalisation."""
        return EmbeddingHead(self.pooling)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """All texts of the rows below each other, and how long each is."""
        del rng
        found = stacked(batch, self.others, self.brief.reader.fills)
        return {**found, LENGTHS: found["attention_mask"].sum(1)}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The loss of each row; every row weighs 1."""
        found = outputs["embedding"].float()
        options = self.brief.options
        texts, rest = found[: len(batch[VALUE_ID])], found[len(batch[VALUE_ID]) :]
        if self.form == SCORES:
            cosines = (texts * rest).sum(1)
            measure = SCORE_LOSSES[options["score_loss"]]
            total = measure(cosines, batch[SCORE].float(), temperature=options["temperature"])
        else:
            total = in_batch_negatives(
                texts,
                rest,
                self._negatives(batch),
                temperature=options["temperature"],
                symmetric=options["symmetric"],
            )
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``embedding`` [B, D], of unit length."""
        if outputs is None:
            raise ValueError("an embedding is served with its head")
        return outputs

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, and the cosine with its score, or else the positive that the text is to find."""
        count = len(batch[VALUE_ID])
        found = outputs["embedding"].float()
        texts, positives = found[:count], found[count : 2 * count]
        kept = super().measure(outputs, batch, loss)
        if self.form == SCORES:
            return {**kept, "cosine": (texts * positives).sum(1), SCORE: batch[SCORE]}
        ids = {name: batch[name] for name in (VALUE_ID, CANDIDATE_ID)}
        return {**kept, CANDIDATE: positives, **ids}

    def save(self, folder: Path, head: nn.Module) -> None:
        """Make the saved folder one that sentence-transformers opens."""
        del head
        backbone: Any = self.brief.backbone
        spec = self.brief.reader.spec()
        save_embedder(folder, spec=spec, pooling=self.pooling, width=backbone.width)

    def _negatives(self, batch: Batch) -> Tensor:
        """Which candidate is a negative of which text."""
        positives = batch[CANDIDATE_ID]
        ids = [positives, *([batch[NEGATIVE_ID]] if self.form == TRIPLETS else [])]
        return negatives(batch[VALUE_ID], positives, torch.cat(ids))


def _pooling_of(backbone: nn.Module) -> str:
    """The backbone's, where tokens are pooled as such; else their mean."""
    said: Any = getattr(backbone, "pooling", None)
    return str(said) if said in POOLINGS else MEAN
