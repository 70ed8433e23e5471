"""Rank values by how near their embeddings are to that of another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError, PredictError, RowError
from multigraft.runtime.asking import check_counts

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

EMBEDDING = "embedding"


class Ranked(TypedDict):
    """One of several values, in its rank."""

    index: int
    """Its place among those given, from 0."""
    score: float
    """The cosine with what was asked, from -1 to 1."""


def rank(
    predictor: Predictor, query: Any, values: Iterable[Any], *, top_k: int | None = None
) -> list[Ranked]:
    """The values by descending cosine with the query; of equal ones the first comes first.

    Raises BundleError for a bundle that gives no embedding, PredictError for one text in place of
    several, and RowError for what cannot be read, with its index.
    """
    check_counts(top_k=top_k)
    _check_embeds(predictor)
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise PredictError("rank needs several values, as a list; this is one")
    given = list(values)
    try:
        asked = unit_vectors(predictor.outputs([query]))
    except RowError as error:
        raise RowError(f"the query: {str(error).removeprefix('item 0: ')}") from error
    if not given:
        return []
    cosines = unit_vectors(predictor.outputs(given)) @ asked[0]
    order = np.argsort(-cosines, kind="stable")[:top_k]
    return [Ranked(index=index, score=float(cosines[index])) for index in order.tolist()]


def unit_vectors(outputs: Sequence[Arrays]) -> np.ndarray:
    """The embeddings scaled to unit length, float64 [N, D]; one of zeros stays as it is."""
    found = np.stack([each[EMBEDDING] for each in outputs]).astype(np.float64)
    if not np.isfinite(found).all():
        raise BundleError("the graph gives values that are no numbers; export the run again")
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
    return unit


def _check_embeds(predictor: Predictor) -> None:
    """Raise BundleError for a bundle without an embedding of one vector a value."""
    bundle = predictor.bundle
    if bundle.generation is None and EMBEDDING in {port.name for port in bundle.outputs}:
        return
    raise BundleError(
        f"a bundle of task {bundle.task!r} gives no embedding, by which values are ranked; export "
        "a run of sentence-similarity, or of a pretraining task that does not write"
    )
