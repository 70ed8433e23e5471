"""What a person keeps of an answer: the best labels, or those that are sure enough."""

from __future__ import annotations

from itertools import islice
from numbers import Real

from multigraft.contracts.records import Answer
from multigraft.errors import PredictError


def check_kept(*, top_k: int | None, threshold: float | None) -> None:
    """Raise PredictError where no answer could be kept so: NaN, as much as 2, is above every
    score."""
    if top_k is not None and top_k < 1:
        raise PredictError(f"top_k is {top_k}; it must be at least 1")
    if threshold is not None and not (isinstance(threshold, Real) and 0 <= threshold <= 1):
        raise PredictError(
            f"threshold is {threshold!r}; it must be a number from 0 to 1, as scores are"
        )


def trimmed(answer: Answer, *, top_k: int | None, threshold: float | None) -> Answer:
    """The answer with fewer ``scores``; without a ``label`` where none reaches the threshold.

    >>> answer = {"label": "a", "score": 0.6, "scores": {"a": 0.6, "b": 0.4}}
    >>> trimmed(answer, top_k=1, threshold=None)
    {'label': 'a', 'score': 0.6, 'scores': {'a': 0.6}}
    >>> trimmed(answer, top_k=None, threshold=0.7)
    {'label': None, 'score': None, 'scores': {}}
    """
    check_kept(top_k=top_k, threshold=threshold)
    if (top_k is None and threshold is None) or "error" in answer:
        return answer
    scores = answer.get("scores")
    if not isinstance(scores, dict):
        raise PredictError(
            "top_k and threshold need a task whose answers rank labels; this one's have no "
            f"'scores': leave them out, and it answers with {', '.join(answer)}"
        )
    kept = dict(islice(scores.items(), top_k))
    if threshold is None:
        return {**answer, "scores": kept}
    kept = {label: score for label, score in kept.items() if score >= threshold}
    label, score = next(iter(kept.items()), (None, None))
    return {**answer, "label": label, "score": score, "scores": kept}
