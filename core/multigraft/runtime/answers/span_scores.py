"""Scores of spans: counts of a row, and precision, recall and F1 of their sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

RIGHT, ANSWERED, EXPECTED, TOUCHING, TOUCHED = range(5)
Place = tuple[int, int]


def span_counts(
    answered: Iterable[Mapping[str, Any]],
    expected: Iterable[Mapping[str, Any]],
    labels: Sequence[str],
) -> np.ndarray:
    """Of each type, int64 [types, 5]: spans that are right, answered, and expected; answered that
    share characters with an expected one, and expected that share some with an answered one.

    A span is right where its start, end and type are.
    """
    counts = np.zeros((len(labels), 5), dtype=np.int64)
    ours, theirs = (_by_label(spans) for spans in (answered, expected))
    for number, label in enumerate(labels):
        one, other = ours.get(label, set()), theirs.get(label, set())
        counts[number, [RIGHT, ANSWERED, EXPECTED]] = len(one & other), len(one), len(other)
        counts[number, [TOUCHING, TOUCHED]] = _touching(one, other), _touching(other, one)
    return counts


def span_metrics(counts: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Precision, recall and F1 of counts [types, 5]: of all spans, averaged over the types that
    occur (macro), of each type, and counting those as right that overlap (partial).

    A share of nothing is 0, as in seqeval.
    """
    named = {
        f"{name}_{label}": value
        for label, row in zip(labels, counts.tolist(), strict=True)
        for name, value in _shares(row[RIGHT], row[RIGHT], row[ANSWERED], row[EXPECTED]).items()
    }
    right, answered, expected, touching, touched = counts.sum(0).tolist()
    partial = _shares(touching, touched, answered, expected)
    there = (counts[:, ANSWERED] + counts[:, EXPECTED] > 0).nonzero()[0].tolist()
    every = {
        **_shares(right, right, answered, expected),
        **{
            f"{name}_macro": sum(named[f"{name}_{labels[each]}"] for each in there)
            / max(len(there), 1)
            for name in partial
        },
        **{f"{name}_partial": value for name, value in partial.items()},
    }
    return {**every, **{name: value for name, value in named.items() if name not in every}}


def _shares(right: int, found: int, answered: int, expected: int) -> dict[str, float]:
    """``right`` of those answered, ``found`` of those expected, and their harmonic mean.

    >>> _shares(1, 1, 2, 4)
    {'precision': 0.5, 'recall': 0.25, 'f1': 0.3333333333333333}
    """
    precision, recall = right / max(answered, 1), found / max(expected, 1)
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / both if both else 0.0,
    }


def _by_label(spans: Iterable[Mapping[str, Any]]) -> dict[str, set[Place]]:
    found: dict[str, set[Place]] = {}
    for span in spans:
        found.setdefault(span["label"], set()).add((span["start"], span["end"]))
    return found


def _touching(some: set[Place], others: set[Place]) -> int:
    return sum(any(a < d and c < b for c, d in others) for a, b in some)
