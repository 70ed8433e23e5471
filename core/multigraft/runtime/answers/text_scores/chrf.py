"""chrF (Popović 2015): F2 of n-grams of characters, as sacrebleu computes it by default."""

from __future__ import annotations

import numpy as np

from multigraft.runtime.answers.text_scores.units import ngrams, shared

ORDER = 6
BETA = 2
SAID, EXPECTED, SHARED = range(3)


def chrf_counts(answer: str, *references: str) -> np.ndarray:
    """What a row adds to chrF, int64 [6, 3]: of each order 1 to 6 the n-grams of the answer, of
    the reference, and of both; by the reference that gives the row the highest chrF.

    White space is left out. An order that the reference is too short for counts nothing.
    """
    found = [_counts("".join(answer.split()), "".join(each.split())) for each in references]
    return max(found, key=corpus_chrf)


def corpus_chrf(counts: np.ndarray) -> float:
    """chrF, 0 to 100, of a sum of rows' counts [6, 3].

    Precision and recall are means over the orders that both sides have.
    """
    there = counts[(counts[:, SAID] > 0) & (counts[:, EXPECTED] > 0)]
    if not there[:, SHARED].any():
        return 0.0
    precision = float((there[:, SHARED] / there[:, SAID]).mean())
    recall = float((there[:, SHARED] / there[:, EXPECTED]).mean())
    return 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _counts(said: str, expected: str) -> np.ndarray:
    counts = np.zeros((ORDER, 3), dtype=np.int64)
    for order in range(1, min(ORDER, len(expected)) + 1):
        ours, theirs = ngrams(said, order), ngrams(expected, order)
        counts[order - 1] = ours.total(), theirs.total(), shared(ours, theirs)
    return counts
