"""Precision and recall of the detections of many pictures, from what was kept of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.runtime.answers.average_precision.matching import (
    KEPT,
    OVERLAPS,
    SIZES,
    Detected,
    Expected,
    matched,
    out_of_size,
)

Kept = Mapping[str, np.ndarray]
RECALLS = np.linspace(0.0, 1.0, 101)
"""The recalls at which precision is averaged."""
FEWER = (1, 10, KEPT)
"""Detections of a class and picture that recall is told of."""
NONE = -1
BITS = 1 << np.arange(len(OVERLAPS), dtype=np.uint16)


def kept_of(found: Detected, expected: Expected, classes: int) -> dict[str, np.ndarray]:
    """What is kept of one picture: of its best detections ``scores`` [100], ``classes`` [100] (-1:
    there is none) and ``matches`` [100, sizes, 2], a bit for each overlap at which it is right and
    wrong; ``objects`` [classes, sizes] that must be found."""
    best = found.best(KEPT)
    right, wrong = matched(best, expected)
    count = len(best.scores)
    scores, labels = np.zeros(KEPT), np.full(KEPT, NONE, np.int32)
    matches = np.zeros((KEPT, len(SIZES), 2), np.uint16)
    scores[:count], labels[:count] = best.scores, best.labels
    for side, each in enumerate((right, wrong)):
        matches[:count, :, side] = np.einsum("sod,o->ds", each.astype(np.uint16), BITS)
    counted = ~out_of_size(expected)
    objects = np.stack([np.bincount(expected.labels[each], minlength=classes) for each in counted])
    return {
        "scores": scores,
        "classes": labels,
        "matches": matches,
        "objects": objects.T.astype(np.int32),
    }


def ordered(kept: Kept) -> np.ndarray:
    """The place of every detection among those of all pictures, by class and descending score,
    int32 [N, 100]; -1 where there is none. Equal scores stay in the order of the pictures."""
    labels, scores = kept["classes"].ravel(), kept["scores"].ravel()
    there = np.flatnonzero(labels != NONE)
    order = there[np.lexsort((-scores[there], labels[there]))]
    places = np.full(len(labels), NONE, np.int32)
    places[order] = np.arange(len(order))
    return places.reshape(kept["classes"].shape)


@dataclass(frozen=True)
class Curves:
    """What all classes reach; NaN where a class has no object of a size."""

    precision: np.ndarray
    """[classes, sizes, overlaps]: averaged over the recalls."""
    recall: np.ndarray
    """[classes, sizes, overlaps, len(FEWER)]: with so many detections a picture."""


def curves(kept: Kept, places: np.ndarray) -> Curves:
    """Average precision and recall, from what was kept of pictures and the ``places`` of their
    detections; a picture that was drawn several times counts as often.

    Detections are put in order by their places, without sorting: a resample costs little.
    """
    flat = _sorted(kept, places)
    objects = kept["objects"].sum(0, dtype=np.int64)  # [classes, sizes]
    shape = *objects.shape, len(OVERLAPS)
    precision = np.full(shape, np.nan)
    recall = np.full((*shape, len(FEWER)), np.nan)
    bounds = np.searchsorted(flat.labels, np.arange(len(objects) + 1))
    for label, size in np.argwhere(objects > 0).tolist():
        some = slice(bounds[label], bounds[label + 1])
        right, wrong = flat.counted(some, size)
        total = int(objects[label, size])
        precision[label, size] = _average(right, wrong, total)
        for number, most in enumerate(FEWER):
            recall[label, size, :, number] = right[:, flat.ranks[some] < most].sum(1) / total
    return Curves(precision, recall)


@dataclass(frozen=True)
class _Sorted:
    """The detections of pictures by class and descending score, each once."""

    labels: np.ndarray
    weights: np.ndarray
    """How often each counts."""
    matches: np.ndarray
    ranks: np.ndarray
    """How many of its class in its picture are surer."""

    def counted(self, some: slice, size: int) -> tuple[np.ndarray, np.ndarray]:
        """How often each of ``some`` is right and wrong, [overlaps, D] each."""
        bits = self.matches[some, size]  # [D, 2]
        sides = (bits[..., None] & BITS > 0) * self.weights[some, None, None]
        return sides[:, 0].T, sides[:, 1].T


def _sorted(kept: Kept, places: np.ndarray) -> _Sorted:
    there = places != NONE
    at = places[there]
    weights = np.bincount(at)
    first = np.full(len(weights), NONE)
    first[at] = np.arange(len(at))
    first = first[weights > 0]
    ranks = _ranks(kept["classes"])[there][first]
    return _Sorted(
        kept["classes"][there][first], weights[weights > 0], kept["matches"][there][first], ranks
    )


def _ranks(classes: np.ndarray) -> np.ndarray:
    """How many of a detection's class stand before it in its row [N, 100]."""
    order = np.argsort(classes, axis=1, kind="stable")
    sorted_ = np.take_along_axis(classes, order, 1)
    begins = np.concatenate(
        [np.ones((len(classes), 1), bool), sorted_[:, 1:] != sorted_[:, :-1]], axis=1
    )
    number = np.arange(classes.shape[1])
    since = number - np.maximum.accumulate(np.where(begins, number, 0), axis=1)
    found = np.empty_like(since)
    np.put_along_axis(found, order, since, 1)
    return found


def _average(right: np.ndarray, wrong: np.ndarray, total: int) -> np.ndarray:
    """Precision [overlaps] averaged over `RECALLS`, from how often detections [overlaps, D] are
    right and wrong, the surest first."""
    if not right.shape[1]:
        return np.zeros(len(right))
    hits, misses = right.cumsum(1), wrong.cumsum(1)
    exact = hits / (hits + misses + np.spacing(1))
    envelope = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
    # the hits that reach each recall; whole numbers, so that all overlaps are searched at once
    needed = np.searchsorted(np.arange(total + 1) / total, RECALLS)
    beyond = total + 2
    steps = beyond * np.arange(len(right))[:, None]
    at = np.searchsorted((hits + steps).ravel(), needed + steps) - steps // beyond * hits.shape[1]
    reached = np.take_along_axis(envelope, np.minimum(at, hits.shape[1] - 1), 1)
    found: np.ndarray = np.where(at < hits.shape[1], reached, 0.0).mean(1)
    return found


def sizes_there(kept: Kept) -> np.ndarray:
    """Whether any object is of each size, bool [sizes]."""
    found: np.ndarray = np.asarray((kept["objects"] > 0).any((0, 1)))
    return found


def metrics(found: Curves, sizes: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """COCO's figures: ``ap`` (over all overlaps), ``ap50``, ``ap75``, ``ar_1`` to ``ar_100``,
    ``ap_small``, ``ap_medium`` and ``ap_large`` where ``sizes`` has them, and ``ap_<label>``.

    Each is a mean over the classes that have objects; of none it is 0.
    """
    return dict(_metrics(found, sizes, labels))


def _metrics(
    found: Curves, sizes: np.ndarray, labels: Sequence[str]
) -> Iterator[tuple[str, float]]:
    precision = found.precision
    yield "ap", _mean(precision[:, 0])
    yield "ap50", _mean(precision[:, 0, 0])
    yield "ap75", _mean(precision[:, 0, 5])
    for size, name in enumerate(("small", "medium", "large"), 1):
        if sizes[size]:
            yield f"ap_{name}", _mean(precision[:, size])
    for number, most in enumerate(FEWER):
        yield f"ar_{most}", _mean(found.recall[:, 0, :, number])
    taken = {"ap_small", "ap_medium", "ap_large"}
    for label, each in zip(labels, precision[:, 0], strict=True):
        if f"ap_{label}" not in taken:
            yield f"ap_{label}", _mean(each)


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else 0.0
