"""Rank values by how near their embeddings are to that of another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np

from multigraft.errors import BundleError, RowError
from multigraft.runtime.asking import check_counts
from multigraft.runtime.embedding import dual_branches, unit_vectors, values_of
from multigraft.runtime.gallery import Gallery, check_gallery

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor


class Ranked(TypedDict):
    """One of several values, in its rank."""

    index: int
    """Its place among those given, from 0."""
    score: float
    """The cosine with what was asked, from -1 to 1."""
    id: NotRequired[str]
    """Of a gallery what the value is called there."""


def rank(
    predictor: Predictor,
    query: Any,
    values: Iterable[Any] | Gallery,
    *,
    top_k: int | None = None,
) -> list[Ranked]:
    """The values by descending cosine with the query; of equal ones the first comes first.

    Of a dual encoder each is a mapping that holds one branch, as ``{"text": ...}``. Values that
    were embedded before are a `Gallery`. Raises BundleError for a bundle that gives no embedding or
    another gallery's, PredictError for one text in place of several, and RowError for what cannot
    be read, with its index.
    """
    check_counts(top_k=top_k)
    dual_branches(predictor)
    gallery = values if isinstance(values, Gallery) else None
    if gallery is not None:
        check_gallery(gallery, predictor)
    given = [] if gallery is not None else values_of(values, "rank")
    try:
        asked = unit_vectors(predictor, [query])[0]
    except RowError as error:
        raise RowError(f"the query: {str(error).removeprefix('item 0: ')}") from error
    if gallery is not None:
        return _named(gallery, asked.astype(np.float32), top_k)
    if not given:
        return []
    cosines = unit_vectors(predictor, given) @ asked
    return nearest(cosines[_firsts(given)], top_k)


def _firsts(values: list[Any]) -> list[int]:
    """The place of the first of each value's equals among texts: what is computed of equal ones
    differs in its last digits by what stands beside them in a batch.

    >>> _firsts(["a", "b", "a"])
    [0, 1, 0]
    """
    first: dict[str, int] = {}
    return [
        first.setdefault(value, place) if isinstance(value, str) else place
        for place, value in enumerate(values)
    ]


def _named(gallery: Gallery, asked: np.ndarray, top_k: int | None) -> list[Ranked]:
    """The values of a gallery, with their names."""
    if not len(gallery):
        return []
    width = gallery.embeddings.shape[1]
    if width != len(asked):
        raise BundleError(
            f"the gallery's vectors have {width} numbers, and the bundle's {len(asked)}: its file "
            "was changed; make it again"
        )
    found = nearest(gallery.embeddings @ asked, top_k)
    return [{**each, "id": gallery.ids[each["index"]]} for each in found]


def nearest(cosines: np.ndarray, top_k: int | None) -> list[Ranked]:
    """The first ``top_k`` by descending cosine, all where it is None."""
    order = np.argsort(-cosines, kind="stable")[:top_k]
    return [Ranked(index=index, score=float(cosines[index])) for index in order.tolist()]
