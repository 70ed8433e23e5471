"""Retrieval measures: where a value's own candidates come among those of all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

DEPTHS = (1, 5, 10)
"""At which recall is told."""
GAIN_DEPTH = 10
"""To which ranks give a discounted gain."""
TIE = 1e-9
"""Cosines that are nearer are equal, and what is wanted comes last among equal ones."""
BLOCK = 2**22
"""Cosines that are held at a time."""
MEASURES = (*(f"recall_at_{depth}" for depth in DEPTHS), "mrr", "ndcg_at_10")


def retrieval_scores(
    values: np.ndarray, candidates: np.ndarray, value_ids: np.ndarray, candidate_ids: np.ndarray
) -> dict[str, np.ndarray]:
    """The `MEASURES` of each row, [N] each, whose value ranks the candidates of all rows by cosine.

    Unit vectors [N, D], and numbers [N], equal for equal values and candidates. A candidate that
    stands in several rows is one; relevant to a value are those of all its rows, and the value
    itself is no candidate unless it is relevant.
    """
    ids, first, own = np.unique(candidate_ids, return_index=True, return_inverse=True)
    asked, place, query = np.unique(value_ids, return_index=True, return_inverse=True)
    relevant = _members(query, own, len(asked))
    itself = np.searchsorted(ids, asked).clip(max=len(ids) - 1)
    found = []
    for number, cosines in _cosines(values[place], candidates[first]):
        if ids[itself[number]] == asked[number] and itself[number] not in relevant[number]:
            cosines[itself[number]] = -np.inf
        found.append(rank_scores(ranks(cosines, relevant[number])))
    return {name: np.array([each[name] for each in found])[query] for name in found[0]}


def ranks(cosines: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """The ranks, from 1 and ascending, of the candidates at ``relevant`` by descending cosine.

    >>> ranks(np.array([0.5, 0.9, 0.5, 0.1]), np.array([0, 3])).tolist()
    [3, 4]
    """
    wanted = np.sort(cosines[relevant])[::-1]
    others = np.sort(np.delete(cosines, relevant))
    before = len(others) - np.searchsorted(others, wanted - TIE)
    counted: np.ndarray = before + np.arange(1, len(wanted) + 1)
    return counted


def rank_scores(found: np.ndarray) -> dict[str, float]:
    """Recall, reciprocal rank and nDCG (Järvelin and Kekäläinen 2002, gains of 0 and 1) of the
    ranks of all that is relevant.

    >>> rank_scores(np.array([2, 7]))["recall_at_5"], rank_scores(np.array([2, 7]))["mrr"]
    (0.5, 0.5)
    """
    gains = 1 / np.log2(np.arange(1, GAIN_DEPTH + 1) + 1)
    told = gains[found[found <= GAIN_DEPTH] - 1].sum()
    return {
        **{f"recall_at_{depth}": float((found <= depth).mean()) for depth in DEPTHS},
        "mrr": float(1 / found[0]),
        "ndcg_at_10": float(told / gains[: len(found)].sum()),
    }


def chance_gain(candidates: int) -> float:
    """The nDCG that one relevant of so many has on average in a random order."""
    gains = 1 / np.log2(np.arange(1, min(candidates, GAIN_DEPTH) + 1) + 1)
    return float(gains.sum() / candidates)


def _members(query: np.ndarray, own: np.ndarray, count: int) -> Sequence[np.ndarray]:
    """The candidates of each query, each once."""
    pairs = np.unique(np.stack([query, own], axis=1), axis=0)
    return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, count)))


def _cosines(values: np.ndarray, candidates: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The number of each value with its cosines to all candidates, in double precision."""
    gallery = candidates.astype(np.float64).T
    size = max(1, BLOCK // gallery.shape[1])
    for start in range(0, len(values), size):
        block = values[start : start + size].astype(np.float64) @ gallery
        yield from enumerate(block, start)
