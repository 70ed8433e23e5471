"""From graph outputs to answers: numpy only, used by the bundle."""

from __future__ import annotations

from multigraft.records import Answer, Arrays, Spec


def classification(targets: Spec, outputs: Arrays) -> list[Answer]:
    """The most probable label of each row, and every label's probability, best first.

    ``outputs["probabilities"]`` is [B, len(targets["labels"])].

    >>> import numpy as np
    >>> classification({"labels": ["no", "yes"]}, {"probabilities": np.array([[0.25, 0.75]])})
    [{'label': 'yes', 'score': 0.75, 'scores': {'yes': 0.75, 'no': 0.25}}]
    """
    return [_best(targets["labels"], row.tolist()) for row in outputs["probabilities"]]


def embedding(targets: Spec, outputs: Arrays) -> list[Answer]:
    """The pooled features of each row; ``outputs["embedding"]`` is [B, D]."""
    return [{"embedding": row.tolist()} for row in outputs["embedding"]]


def _best(labels: list[str], scores: list[float]) -> Answer:
    ranked = sorted(zip(labels, scores, strict=True), key=lambda pair: -pair[1])
    label, score = ranked[0]
    return {"label": label, "score": score, "scores": dict(ranked)}
