"""Scores of answers that are sets of labels, in time and memory of rows x labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

HALF = 0.5


def set_scores(answered: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """F1, precision and recall, subset accuracy and Hamming loss of bool arrays [rows, labels].

    Macro scores are averages over the labels that occur in either array, as those of
    classification are. A share of nothing counts as 0, as in scikit-learn.

    >>> found = set_scores(np.array([[True, False]]), np.array([[True, True]]))
    >>> found["f1_macro"], found["subset_accuracy"], found["hamming_loss"]
    (0.5, 0.0, 0.5)
    """
    right, given, wanted = label_counts(answered, expected)
    found, there, differ = right.sum(), given + wanted > 0, answered != expected
    f1 = f1_of(right, given, wanted)
    return {
        "f1_micro": float(f1_of(found, given.sum(), wanted.sum())),
        "f1_macro": float(f1[there].mean()) if there.any() else 0.0,
        "precision_micro": float(found / max(given.sum(), 1)),
        "recall_micro": float(found / max(wanted.sum(), 1)),
        "subset_accuracy": float((~differ.any(1)).mean()),
        "hamming_loss": float(differ.mean()),
    }


def label_counts(
    answered: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[labels] each: rows answered rightly with a label, answered with it, and that have it."""
    return (answered & expected).sum(0), answered.sum(0), expected.sum(0)


def f1_of(right: np.ndarray, given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """F1 of counts: 2 right / (given + wanted); 0 of nothing."""
    scores: np.ndarray = 2 * right / np.maximum(given + wanted, 1)
    return scores


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """[rows]: of each row of scores [rows, columns] the mean precision at its relevant columns.

    The precision at a score is the share of relevant columns among those that score at least as
    much, so ties have no order. By columns it is the average precision of a label; by rows, label
    ranking average precision (Tsoumakas et al. 2010). NaN for a row with nothing relevant.

    >>> average_precision(np.array([[0.9, 0.5, 0.5]]), np.array([[False, True, False]])).tolist()
    [0.3333333333333333]
    """
    _, hits, last = _ranked(scores, relevant)
    total = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)
    precision = np.take_along_axis(found / total, last, axis=1)
    wanted = found[:, -1]
    with np.errstate(invalid="ignore"):
        average: np.ndarray = (precision * hits).sum(1) / wanted
    return average


def ranking_precision(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """[rows]: label ranking average precision; 1 for a row without labels, as in scikit-learn."""
    return np.nan_to_num(average_precision(scores, relevant), nan=1.0)


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Average precision of each label, averaged over those that some row has; 0 where none is."""
    each = average_precision(scores.T, relevant.T)
    there = ~np.isnan(each)
    return float(each[there].mean()) if there.any() else 0.0


def best_thresholds(scores: np.ndarray, relevant: np.ndarray) -> list[float]:
    """[labels]: the threshold at which each label's F1 on these rows [rows, labels] is highest.

    It lies halfway to the next lower score, so that a rounding elsewhere changes no answer; of
    several the highest; 0.5 for a label that no row has.
    """
    values, hits, last = _ranked(scores.T, relevant.T)
    found = np.cumsum(hits, axis=1)
    f1 = 2 * found / (np.arange(1, hits.shape[1] + 1) + found[:, -1:])
    ends = last == np.arange(hits.shape[1])
    best = np.where(ends, f1, -1).argmax(1)
    lower = np.concatenate([values[:, 1:], np.zeros((len(values), 1))], axis=1)
    rows = np.arange(len(values))
    halfway = (values[rows, best] + lower[rows, best]) / 2
    return np.where(found[:, -1] > 0, halfway, HALF).tolist()


def constant_f1(expected: np.ndarray) -> tuple[float, int]:
    """The best micro F1 of always answering the most frequent labels, and of how many.

    >>> constant_f1(np.array([[True, False], [True, True], [True, False]]))
    (0.8571428571428571, 1)
    """
    counts = np.sort(expected.sum(0))[::-1]
    given = len(expected) * np.arange(1, len(counts) + 1)
    f1 = f1_of(np.cumsum(counts), given, counts.sum())
    most = int(f1.argmax())
    return float(f1[most]), most + 1


def label_table(
    labels: Sequence[str], answered: np.ndarray, expected: np.ndarray, thresholds: np.ndarray
) -> tuple[tuple[str, ...], ...]:
    """Each label's rows, threshold, precision, recall and F1 as words, the most frequent first."""
    right, given, wanted = label_counts(answered, expected)
    parts = (right / np.maximum(given, 1), right / np.maximum(wanted, 1))
    shares = np.stack([*parts, f1_of(right, given, wanted)], axis=1)
    lines = [
        (
            labels[place],
            str(wanted[place]),
            f"{thresholds[place]:.3g}",
            *(f"{share:.3f}" for share in shares[place].tolist()),
        )
        for place in np.argsort(-wanted, kind="stable").tolist()
    ]
    return (("label", "rows", "threshold", "precision", "recall", "F1"), *lines)


def _ranked(scores: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores from high to low, which of them are relevant, and the last place of each one's tie.

    One sort of whole numbers: floats from 0 up are ordered as their bits are, and the lowest bit
    says what is relevant.
    """
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.uint32).astype(np.uint64)
    keys = np.sort(bits * 2 + np.asarray(relevant, dtype=np.uint64), axis=1)[:, ::-1]
    ranked, hits = keys >> 1, (keys & 1).astype(bool)
    columns = ranked.shape[1]
    ends = np.ones(ranked.shape, dtype=bool)
    ends[:, :-1] = ranked[:, :-1] != ranked[:, 1:]
    places = np.where(ends, np.arange(columns), columns)
    last = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    values = ranked.astype(np.uint32).view(np.float32).astype(np.float64)
    return values, hits, last
