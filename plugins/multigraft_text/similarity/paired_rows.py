"""Rows of texts that belong together, without torch: what they are, and metrics of embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft import RowBrief, RowError, RowObjective
from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import KeptOfRow, Row
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.number_scores import number_scores
from multigraft.runtime.answers.embedding import CANDIDATE, CANDIDATE_ID, VALUE_ID
from multigraft.runtime.answers.retrieval_scores import chance_gain
from multigraft_text.cleaning import clean
from multigraft_text.similarity.columns import prefixed, prefixed_fills
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


class PairedRows(RowObjective):
    """Rows of pairs, triplets, or pairs with scores, as the training rows were."""

    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.form: str = brief.targets["form"]
        self.monitor = "spearman" if self.form == SCORES else "ndcg_at_10"
        self.others = (POSITIVE, NEGATIVE) if self.form == TRIPLETS else (POSITIVE,)
        self.fills = prefixed_fills(self.others, brief.reader.fills)

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

    def further_rows(self, arrays: Arrays) -> Sequence[Arrays]:
        """The positive, as it was read."""
        return [{name: arrays[f"{POSITIVE}_{name}"] for name in self.brief.reader.fills}]

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """The cosine with its score, or else the positive that the text is to find."""
        text, positive = (each["embedding"].astype(np.float32) for each in outputs)
        if self.form == SCORES:
            return {"cosine": text @ positive, SCORE: arrays[SCORE]}
        return {CANDIDATE: positive, **{name: arrays[name] for name in (VALUE_ID, CANDIDATE_ID)}}

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
