"""Classifier two-sample test: can a classifier tell from which of two sets a row is (Lopez-Paz &
Oquab 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from multigraft.evaluation.transferability.probes import folds_of

PERMUTATIONS = 999
FEWEST = 10
"""Rows of either set, at least."""


@dataclass(frozen=True, kw_only=True)
class DomainTest:
    """How well a classifier tells two sets of rows apart."""

    accuracy: float
    """Of the classifier on rows that it did not learn from; 0.5 is chance."""
    auc: float
    """The probability that of two rows, one of each set, it knows which is which."""
    p: float
    """How often sets that are one and the same would be told apart so well, by the AUC."""
    rows: int
    """Of each set."""
    permutations: int

    @property
    def proxy_a_distance(self) -> float:
        """2 (1 - 2 error), from 0 (not told apart) to 2 (always told apart): Ben-David et al. 2010,
        section 4, for linear classifiers."""
        return max(0.0, 2 * (1 - 2 * (1 - self.accuracy)))


@dataclass(frozen=True)
class _Fold:
    """A fold's rows, and the kernel by which a discriminant that the others train scores them."""

    train: np.ndarray
    test: np.ndarray
    kernel: np.ndarray
    """[rows, train rows]: centred features times the inverse covariance, of all rows."""


def domain_test(
    first: np.ndarray, second: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> DomainTest:
    """Test whether features [rows, width] of two sets come from one distribution; of the larger set
    as many rows are drawn as the smaller has.

    The classifier is Fisher's linear discriminant with Ledoit and Wolf's covariance,
    cross-validated in folds that know nothing of the sets. Its scores are linear in the sets'
    signs, so each permutation of them costs a matrix product, and the p-value is that of an exact
    permutation test (Phipson & Smyth 2010), however many features there are. Raises
    ValueError for too few rows.
    """
    rng = np.random.default_rng(seed)
    rows = min(len(first), len(second))
    if rows < FEWEST:
        raise ValueError(f"{rows} rows of one set; {FEWEST} of each are needed at least")
    both = np.concatenate([_drawn(each, rows, rng) for each in (first, second)])
    belongs = np.arange(2 * rows) >= rows
    mixed = [rng.permutation(belongs) for _ in range(permutations)]
    right, areas = _told(_folds(both.astype(np.float64), seed), np.stack([belongs, *mixed], axis=1))
    as_good = int((areas[1:] >= areas[0] - 1e-12).sum())
    return DomainTest(
        accuracy=float(right[0]),
        auc=float(areas[0]),
        p=(as_good + 1) / (permutations + 1),
        rows=rows,
        permutations=permutations,
    )


def _drawn(features: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    found: np.ndarray = features[rng.permutation(len(features))[:rows]]
    return found


def _folds(features: np.ndarray, seed: int) -> Iterator[_Fold]:
    from sklearn.covariance import ledoit_wolf

    fold = folds_of(None, len(features), seed=seed)
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        centred = features - features[train].mean(0)
        scale = centred[train].std(0)
        centred = centred / np.where(scale > 1e-6 * scale.max(initial=0.0), scale, np.inf)
        covariance, _ = ledoit_wolf(centred[train], assume_centered=True)
        inverse = np.linalg.pinv(covariance, hermitian=True)
        yield _Fold(train, test, centred @ inverse @ centred[train].T)


def _told(folds: Iterator[_Fold], belongs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and mean area under the curve of the folds, for each column of ``belongs`` [rows,
    draws]."""
    right, areas = np.zeros(belongs.shape[1]), []
    for fold in folds:
        known, asked = belongs[fold.train], belongs[fold.test]
        second, first = _means(known), _means(~known)
        scores = fold.kernel @ (second - first)
        middle = ((second + first) / 2 * scores[fold.train]).sum(0)
        right += ((scores[fold.test] > middle) == asked).sum(0)
        areas.append(_areas(scores[fold.test], asked))
    return right / len(belongs), np.nanmean(areas, axis=0)


def _means(chosen: np.ndarray) -> np.ndarray:
    """Weights [rows, draws] that make a sum the mean of the rows that are chosen in each draw."""
    weights: np.ndarray = chosen / np.maximum(chosen.sum(0), 1)
    return weights


def _areas(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """[draws]: the area under the curve of scores [rows, draws], by Mann and Whitney's ranks; NaN
    where all rows are of one set."""
    from scipy.stats import rankdata

    ranks, count = rankdata(scores, axis=0), positive.sum(0)
    pairs = count * (len(scores) - count)
    wins = (ranks * positive).sum(0) - count * (count + 1) / 2
    return np.divide(wins, pairs, where=pairs > 0, out=np.full(len(count), np.nan))
