"""LIME (Ribeiro et al. 2016): a linear model of the answers near a row, in its units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft.contracts.explaining import Attribution, Subject
from multigraft.runtime.explain.subject import none_and_all


def lime(subject: Subject, options: Mapping[str, Any]) -> Attribution:
    """The weights of a ridge regression on which units are there, nearer rows counting more.

    ``r2`` is the weighted share of the answers' variance that it explains: where it is low, no
    linear model says what the network does, and its weights say little. Of one unit the linear
    model is exact: its weight is what the answer loses without it.
    """
    if subject.count == 1:
        value, none = subject.scores(none_and_all(1))
        return Attribution(np.array([value - none]), {"r2": 1.0})
    hidden = drawn_masks(subject.count, options["samples"], np.random.default_rng(subject.seed))
    there = ~hidden
    weights = kernel(there, options["width"])
    answers = subject.scores(hidden)
    found = ridge(there.astype(np.float64), answers, weights, options["ridge"])
    return Attribution(found[1:], {"r2": _explained(found, there, answers, weights)})


def drawn_masks(count: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """bool [samples, U]: the row itself, then rows of which a random number of units, each number
    as likely, is hidden, as LIME draws them for texts."""
    sizes = rng.integers(1, count + 1, samples)
    sizes[0] = 0
    order = np.argsort(rng.random((samples, count)), axis=1)
    ranks = np.argsort(order, axis=1)
    masks: np.ndarray = ranks < sizes[:, None]
    return masks


def kernel(there: np.ndarray, width: float) -> np.ndarray:
    """bool [N, U] -> [N]: exp(-d^2 / width^2), d being the cosine distance to the row itself.

    >>> kernel(np.array([[True, True], [False, False]]), 0.5).round(3).tolist()
    [1.0, 0.018]
    """
    distances = 1 - np.sqrt(there.mean(1))
    found: np.ndarray = np.exp(-((distances / width) ** 2))
    return found


def ridge(
    inputs: np.ndarray, wanted: np.ndarray, weights: np.ndarray, penalty: float
) -> np.ndarray:
    """Weighted ridge regression in closed form: [N, U], [N], [N] -> intercept and weights [1 + U].

    The intercept is not penalised. Where the equations have several solutions it is the shortest.
    """
    design = np.concatenate([np.ones((len(inputs), 1)), inputs], axis=1)
    weighted = design * weights[:, None]
    penalties = penalty * np.eye(design.shape[1])
    penalties[0, 0] = 0
    found: np.ndarray = np.linalg.lstsq(
        weighted.T @ design + penalties, weighted.T @ wanted, rcond=None
    )[0]
    return found


def _explained(
    found: np.ndarray, there: np.ndarray, answers: np.ndarray, weights: np.ndarray
) -> float:
    """R squared, weighted; 1 where all answers are equal."""
    errors = answers - (found[0] + there @ found[1:])
    centred = answers - np.average(answers, weights=weights)
    spread = float(weights @ centred**2)
    return 1 - float(weights @ errors**2) / spread if spread > 0 else 1.0
