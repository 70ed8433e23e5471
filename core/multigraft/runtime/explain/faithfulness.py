"""Faithfulness of an explanation: deletion and insertion curves (Petsiuk et al. 2018, section 4.2)
against those of random orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multigraft.contracts.explaining import Subject

STEPS = 10
"""Points of a curve behind its first, where there are as many units."""
ORDERS = 5
"""Random orders that an explanation's is compared with."""


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What the answer does where units are hidden, or shown, in the order of their weights."""

    shares: np.ndarray
    """[S + 1]: the shares of the units, from 0 to 1."""
    deletion: np.ndarray
    """[S + 1]: the explained number, the weightiest units hidden first."""
    insertion: np.ndarray
    """[S + 1]: all hidden, the weightiest shown first."""
    random: np.ndarray
    """[orders, S + 1]: hidden in random orders."""

    @property
    def deletion_auc(self) -> float:
        """The area under the curve of deletion: the smaller, the better."""
        return area(self.shares, self.deletion)

    @property
    def insertion_auc(self) -> float:
        """The area under the curve of insertion: the larger, the better."""
        return area(self.shares, self.insertion)

    @property
    def random_auc(self) -> float:
        """The mean area of random orders; the same for both, since an order hidden from its front
        is the reverse one shown from its end."""
        return float(np.mean([area(self.shares, each) for each in self.random]))

    @property
    def deletion_gain(self) -> float:
        """How much smaller than of random orders the area of deletion is."""
        return self.random_auc - self.deletion_auc

    @property
    def insertion_gain(self) -> float:
        """How much larger than of random orders the area of insertion is."""
        return self.insertion_auc - self.random_auc

    def figures(self) -> dict[str, float]:
        """All five, for JSON."""
        names = ("deletion_auc", "insertion_auc", "random_auc", "deletion_gain", "insertion_gain")
        return {name: getattr(self, name) for name in names}


def measure_faithfulness(subject: Subject, weights: np.ndarray, *, seed: int) -> Faithfulness:
    """Hide and show the units of ``weights`` [U] from the largest on, and in random orders."""
    count, rng = len(weights), np.random.default_rng(seed)
    order = np.argsort(-weights, kind="stable")
    sizes = np.linspace(0, count, min(STEPS, count) + 1).round().astype(int)
    orders = [order, *(rng.permutation(count) for _ in range(ORDERS))]
    masks = [hidden_first(each, sizes) for each in orders]
    shown = ~hidden_first(order, sizes)
    points = len(sizes)
    found = subject.scores(np.concatenate([shown, *masks])).reshape(-1, points)
    return Faithfulness(sizes / count, found[1], found[0], found[2:])


def hidden_first(order: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """bool [sizes, U]: so many of the first units of an order hidden.

    >>> hidden_first(np.array([2, 0, 1]), np.array([0, 2])).tolist()
    [[False, False, False], [True, False, True]]
    """
    ranks = np.argsort(order)
    found: np.ndarray = ranks < sizes[:, None]
    return found


def area(shares: np.ndarray, curve: np.ndarray) -> float:
    """The area under a curve, by trapezoids.

    >>> area(np.array([0, 0.5, 1]), np.array([1, 0, 0]))
    0.25
    """
    return float(np.trapezoid(curve, shares))
