"""From a decoder's logits to the next token: penalties, what may be drawn, the draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multigraft.runtime.generation.options import Settings


def penalise(scores: np.ndarray, seen: Sequence[np.ndarray], penalty: float) -> np.ndarray:
    """Make the tokens each row has ``seen`` less likely: [B, V] (Keskar et al. 2019, section 4.1).

    >>> penalise(np.array([[2.0, -2.0, 1.0]]), [np.array([0, 1])], 2.0).tolist()
    [[1.0, -4.0, 1.0]]
    """
    if penalty == 1:
        return scores
    scores = scores.copy()
    for row, tokens in zip(scores, seen, strict=True):
        found = row[tokens]
        row[tokens] = np.where(found < 0, found * penalty, found / penalty)
    return scores


def without(scores: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """Scores of which those of ``tokens`` are -inf: [B, V].

    >>> without(np.array([[2.0, 1.0]]), [0]).tolist()
    [[-inf, 1.0]]
    """
    if not tokens:
        return scores
    scores = scores.copy()
    scores[:, list(tokens)] = -np.inf
    return scores


def without_repeats(scores: np.ndarray, texts: Sequence[Sequence[int]], size: int) -> np.ndarray:
    """Scores of which those are -inf that would repeat ``size`` tokens of a text: [B, V].

    >>> without_repeats(np.zeros((1, 3)), [[1, 2, 1]], 2).tolist()
    [[0.0, 0.0, -inf]]
    """
    if not size:
        return scores
    scores = scores.copy()
    for row, text in zip(scores, texts, strict=True):
        end = list(text[len(text) - size + 1 :])
        row[
            [
                text[start + size - 1]
                for start in range(len(text) - size + 1)
                if list(text[start : start + size - 1]) == end
            ]
        ] = -np.inf
    return scores


def narrowed(scores: np.ndarray, settings: Settings) -> np.ndarray:
    """Scores at the temperature, -inf where ``top_k`` and ``top_p`` leave a token out: [B, V]."""
    scores = scores / np.float32(settings.temperature)
    if settings.top_k is not None:
        scores = keep_top_k(scores, settings.top_k)
    return scores if settings.top_p == 1 else keep_top_p(scores, settings.top_p)


def keep_top_k(scores: np.ndarray, count: int) -> np.ndarray:
    """Leave out all but the ``count`` best of each row, and what equals the last of them.

    >>> keep_top_k(np.array([[1.0, 3.0, 2.0]]), 2).tolist()
    [[-inf, 3.0, 2.0]]
    """
    count = min(count, scores.shape[-1])
    least = np.partition(scores, -count, axis=-1)[:, -count, None]
    return np.where(scores < least, -np.inf, scores)


def keep_top_p(scores: np.ndarray, share: float) -> np.ndarray:
    """Leave out the least likely tokens of each row that together have at most 1 - ``share``; one
    stays."""
    order = np.argsort(scores, axis=-1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=-1)
    out = np.cumsum(np.exp(log_softmax(ranked)), axis=-1) <= 1 - share
    out[:, -1] = False
    left_out = np.zeros_like(out)
    np.put_along_axis(left_out, order, out, axis=-1)
    return np.where(left_out, -np.inf, scores)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def draw(scores: np.ndarray, rng: np.random.Generator) -> int:
    """One token of a row of scores, [V], by its probability."""
    shares = np.cumsum(np.exp(scores - scores.max(), dtype=np.float64))
    return int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))
