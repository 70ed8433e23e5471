"""Answers that are a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer, Spec
from multigraft.runtime.answers.retrieval_scores import MEASURES, retrieval_scores

ANSWERED = "answered"
CANDIDATE, VALUE_ID, CANDIDATE_ID = "candidate", "value_id", "candidate_id"
"""What an objective keeps of each row whose value is to find its own candidate among those of all
rows: the candidate's unit vector [D], and two numbers, equal for equal values and candidates."""


class Embedding(Answers):
    """The pooled features: the graph gives ``embedding`` [D].

    Where the objective keeps a candidate of each row (`CANDIDATE`), the metrics are those of
    finding it among all (see `retrieval_scores`).
    """

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """The numbers as a list."""
        return {"embedding": windows[0].outputs["embedding"].tolist()}

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """The vector, until all are known."""
        return {ANSWERED: np.asarray(answer["embedding"], np.float32)}

    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Each row's scores where candidates are to be found; the vectors, which no resample
        needs, are let go."""
        answered = kept[ANSWERED]
        gone = {ANSWERED: np.zeros((len(answered), 0), np.float32)}
        if CANDIDATE not in kept:
            return gone
        found = retrieval_scores(
            answered, *(kept[name] for name in (CANDIDATE, VALUE_ID, CANDIDATE_ID))
        )
        return {**gone, **found, CANDIDATE: gone[ANSWERED]}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """The means of the scores, where there are any."""
        return {name: float(kept[name].mean()) for name in MEASURES if name in kept}
