"""Sentence similarity: texts that belong together get embeddings near each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft import Brief, Features, Objective, RowError, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import LENGTHS, Outputs, Row
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.in_batch_negatives import in_batch_negatives, negatives
from multigraft.models.tasks.number_scores import number_scores
from multigraft.runtime.answers.embedding import CANDIDATE, CANDIDATE_ID, VALUE_ID
from multigraft.runtime.answers.retrieval_scores import chance_gain
from multigraft_text.cleaning import clean
from multigraft_text.sentence_modules import save_embedder
from multigraft_text.sentence_pooling import MEAN, POOLINGS
from multigraft_text.similarity.columns import prefixed, prefixed_fills, stacked
from multigraft_text.similarity.head import EmbeddingHead
from multigraft_text.similarity.losses import SCORE_LOSSES
from multigraft_text.similarity.pairs import (
    COLUMN,
    NEGATIVE,
    POSITIVE,
    SCORE,
    SCORES,
    TRIPLETS,
    form_of,
    text_id,
)

NEGATIVE_ID = "negative_id"
CORRELATIONS = ("pearson", "spearman")


class SentenceSimilarity(Objective):
    """In-batch negatives for pairs and triplets, a loss of cosines for pairs with scores.

    A batch holds the tokens of the rows' texts, below them those of their positives, and of
    triplets those of their negatives.
    """

    greater_is_better = True
    mixes_rows = True
    mixes_in_loss = True
    random_batches = True

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.form: str = brief.targets["form"]
        self.monitor = "spearman" if self.form == SCORES else "ndcg_at_10"
        self.others = (POSITIVE, NEGATIVE) if self.form == TRIPLETS else (POSITIVE,)
        self.fills = prefixed_fills(self.others, brief.reader.fills)
        self.pooling: str = _pooling_of(brief.backbone)

    def head(self) -> nn.Module:
        """Pooling and normalisation."""
        return EmbeddingHead(self.pooling)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The arrays of the row's other texts, a number of each text, and the score.

        Raises RowError for a row of another form than those of training, a text that cannot be
        read, and a score that is no cosine.
        """
        pair = row[COLUMN]
        if pair is None or form_of(pair) != self.form:
            told = "nothing" if pair is None else ", ".join(pair)
            raise RowError(f"beside the text stands {told}; the training rows are {self.form}")
        found: Arrays = {}
        for name in self.others:
            found |= self._read(name, pair[name])
        ids = {VALUE_ID: clean(row["text"]), CANDIDATE_ID: pair[POSITIVE]}
        ids |= {NEGATIVE_ID: pair[NEGATIVE]} if NEGATIVE in pair else {}
        numbers = {name: np.asarray(text_id(text), np.int64) for name, text in ids.items()}
        return {**found, **numbers, **self._score(pair)}

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

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, and of scores their correlation with the cosines; what is found among all rows the
        answers tell."""
        metrics = super().summarise(kept)
        if self.form != SCORES:
            return metrics
        sides = (kept[name].astype(np.float64)[:, None] for name in ("cosine", SCORE))
        found = number_scores(*sides)
        return {**metrics, **{name: found[name] for name in CORRELATIONS}}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """A random order; of scores one cosine for all."""
        if self.form == SCORES:
            return Baseline(self.monitor, 0.0, "giving every pair the same score")
        candidates = len(np.unique(kept[CANDIDATE_ID]))
        return Baseline(self.monitor, chance_gain(candidates), "a random order")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Among how many the texts had to find theirs, without which no recall says anything."""
        if self.form == SCORES:
            return {}
        counts = [str(len(np.unique(kept[name]))) for name in (VALUE_ID, CANDIDATE_ID)]
        return {"tables": {"what was ranked": (("different texts", "candidates"), tuple(counts))}}

    def save(self, folder: Path, head: nn.Module) -> None:
        """Make the saved folder one that sentence-transformers opens."""
        del head
        backbone: Any = self.brief.backbone
        spec = self.brief.reader.spec()
        save_embedder(folder, spec=spec, pooling=self.pooling, width=backbone.width)

    def _read(self, name: str, text: str) -> Arrays:
        reader = self.brief.reader
        try:
            return prefixed(name, reader.read(text), reader.fills)
        except RowError as error:
            error.column = name
            raise

    def _score(self, pair: Mapping[str, Any]) -> Arrays:
        if SCORE not in pair:
            return {}
        scale = self.brief.options["score_scale"]
        score = pair[SCORE] / scale
        if abs(score) > 1 and self.brief.options["score_loss"] == "cosine":
            raise RowError(
                f"the score {pair[SCORE]:g} is no cosine, from -1 to 1; let scores be divided, as "
                "with task: {score_scale: 5}",
                column=SCORE,
            )
        return {SCORE: np.asarray(score, np.float32)}

    def _negatives(self, batch: Batch) -> Tensor:
        """Which candidate is a negative of which text."""
        positives = batch[CANDIDATE_ID]
        ids = [positives, *([batch[NEGATIVE_ID]] if self.form == TRIPLETS else [])]
        return negatives(batch[VALUE_ID], positives, torch.cat(ids))


def _pooling_of(backbone: nn.Module) -> str:
    """The backbone's, where tokens are pooled as such; else their mean."""
    said: Any = getattr(backbone, "pooling", None)
    return str(said) if said in POOLINGS else MEAN
