"""Answers of a dual encoder: an embedding of each value, in a space that two branches share."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer, Arrays, Spec
from multigraft.runtime.answers.retrieval_scores import DEPTHS, retrieval_scores

EMBEDDINGS, SCORE = "embeddings", "score"
SCALE, BIAS = "scale", "bias"
"""Outputs [B] that make a logit of a cosine; a bias where each pair is judged by itself."""
ENDING = "_embedding"
MEASURES = (*(f"recall_at_{depth}" for depth in DEPTHS), "mrr")


def output_of(branch: str) -> str:
    """How the graph calls the embeddings of a branch."""
    return f"{branch}{ENDING}"


def id_of(branch: str) -> str:
    """How the numbers of a branch's values are called, equal for equal ones."""
    return f"{branch}_id"


def branches_of(outputs: Collection[str]) -> tuple[str, ...]:
    """The branches that a graph embeds, by its outputs.

    >>> branches_of(["text_embedding", "image_embedding", "scale"])
    ('text', 'image')
    """
    return tuple(name.removesuffix(ENDING) for name in outputs if name.endswith(ENDING))


def value_id(arrays: Arrays) -> np.ndarray:
    """A number of a value as it was read, equal for equal ones in every process: int64 of
    BLAKE2b."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.data)
    return np.asarray(int.from_bytes(digest.digest(), "little", signed=True), np.int64)


class Embeddings(Answers):
    """``{"embeddings": {branch: [...]}}`` of the branches that a value has; of both also their
    cosine, ``score``.

    The metrics are those of finding each row's value of one branch among all of the other's, both
    ways, and their means.
    """

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """The numbers as lists."""
        outputs = windows[0].outputs
        held = [name for name in branches_of(outputs) if raw.get(name) is not None]
        found = {name: outputs[output_of(name)] for name in held}
        answer: Answer = {EMBEDDINGS: {name: vector.tolist() for name, vector in found.items()}}
        if len(held) < 2:
            return answer
        ours, theirs = found.values()
        return {**answer, SCORE: float(ours @ theirs)}

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """The vectors, until all are known."""
        vectors = answer[EMBEDDINGS].items()
        return {output_of(name): np.asarray(vector, np.float32) for name, vector in vectors}

    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Each row's scores both ways; the vectors, which no resample needs, are let go."""
        found: dict[str, np.ndarray] = {}
        for ours, theirs in permutations(branches_of(kept), 2):
            value_ids, candidate_ids = _apart(kept[id_of(ours)], kept[id_of(theirs)])
            each = retrieval_scores(
                kept[output_of(ours)], kept[output_of(theirs)], value_ids, candidate_ids
            )
            found |= {_way(ours, theirs, name): each[name] for name in MEASURES}
        gone = np.zeros((len(next(iter(kept.values()))), 0), np.float32)
        return {**found, **{output_of(name): gone for name in branches_of(kept)}}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """The means of the scores, each way and of both."""
        ways = list(permutations(branches_of(kept), 2))
        found = {
            name: float(kept[name].mean())
            for measure in MEASURES
            for name in (_way(*way, measure) for way in ways)
        }
        both = {
            measure: float(np.mean([found[_way(*way, measure)] for way in ways]))
            for measure in MEASURES
        }
        return {**both, **found}


def _way(ours: str, theirs: str, measure: str) -> str:
    return f"{ours}_to_{theirs}_{measure}"


def _apart(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of which none of one side is one of the other's: a text that stands on both is a
    candidate like any other."""
    count = len(np.unique(ours))
    return (
        np.unique(ours, return_inverse=True)[1],
        np.unique(theirs, return_inverse=True)[1] + count,
    )
