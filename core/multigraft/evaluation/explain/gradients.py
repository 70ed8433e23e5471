"""Gradient methods: integrated gradients, and the gradient times the input.

Both weigh a unit by the inner product of gradients with what the unit adds to the row: the
difference between the row and the row without it, in the network's differentiable inputs. Since
these differences add up, weights of tokens, pixels and time-frequency cells follow from one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft.contracts.explaining import Attribution, GradientSubject
from multigraft.evaluation.explain.path import GradientPath

NOISE = 1e-5
"""The share of a number that is not told apart: float32 rounds some thousand times on the way."""
CANCELLED = 0.1
"""The share of the weights' sizes that takes the place of a change which is smaller: where weights
cancel to nearly nothing, no number of points makes their sum right to a share of that."""


def integrated_gradients(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, equation 1) by the trapezoidal rule.

    Points are doubled, and each gradient is computed once, until the last doubling moved the
    weights by no more than ``settled`` of their sizes, and their sum is the change of the explained
    number between the row and the row with all hidden, but for ``tolerance`` of it; or there are
    ``most_steps``. What float32 does not tell (`NOISE` of the number) is let pass. Where one of
    both is small by chance, the other is not.

    ``completeness_error`` is what their sum lacks (see `completeness`), ``quadrature_error`` what
    the last doubling moved them by as a share of their sizes.
    """
    path, steps = GradientPath(subject), options["steps"] + options["steps"] % 2
    slopes = _slopes(path, np.arange(1, steps + 1) / steps)
    while 2 * steps <= options["most_steps"] and not _near(slopes, path.ends, options):
        steps *= 2
        slopes = _between(_slopes(path, np.arange(1, steps, 2) / steps), slopes)
    weights = integral(slopes)
    sizes, moved = np.abs(weights).sum(), np.abs(_moved(slopes)).sum()
    told = {
        "completeness_error": completeness(weights, path.ends[0] - path.ends[1]),
        "quadrature_error": float(moved / sizes) if sizes else 0.0,
        "steps": float(steps),
    }
    return Attribution(weights, told)


def gradient_x_input(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """The gradient at the row times what each unit adds to it (Shrikumar et al. 2016, with what is
    hidden in the place of 0)."""
    del options
    return Attribution(GradientPath(subject).products(np.ones(1))[0])


def completeness(weights: np.ndarray, change: float) -> float:
    """How far the sum of weights is from the change that they explain, as a share of it, or of the
    `CANCELLED` part of their sizes where that is more.

    >>> completeness(np.array([0.25, 0.25]), 0.4), completeness(np.zeros(1), 0.0)
    (0.25, 0.0)
    """
    gap = abs(float(weights.sum()) - change)
    whole = max(abs(change), CANCELLED * float(np.abs(weights).sum()))
    return gap / whole if whole else gap


def integral(slopes: np.ndarray) -> np.ndarray:
    """[P, U] -> [U]: the integrals from 0 to 1 of what is 0 at 0, and known at 1 / P, 2 / P ... 1.

    >>> integral(np.array([[0.5], [1.0]])).tolist()
    [0.5]
    """
    found: np.ndarray = (slopes.sum(0) - slopes[-1] / 2) / len(slopes)
    return found


def _slopes(path: GradientPath, points: np.ndarray) -> np.ndarray:
    """[P, U]: what is integrated. The way is gone through as ``t**2``: a sound, or a softmax,
    changes most where little is shown."""
    return 2 * points[:, None] * path.products(points**2)


def _between(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """[P, U] twice -> [2 P, U]: one row of each in turn."""
    return np.stack([new, old], axis=1).reshape(-1, new.shape[1])


def _moved(slopes: np.ndarray) -> np.ndarray:
    """[U]: the integrals less those by half as many points."""
    return integral(slopes) - integral(slopes[1::2])


def _near(slopes: np.ndarray, ends: tuple[float, float], options: Mapping[str, Any]) -> bool:
    weights = integral(slopes)
    sizes, moved = np.abs(weights).sum(), np.abs(_moved(slopes)).sum()
    error, noise = completeness(weights, ends[0] - ends[1]), NOISE * max(map(abs, ends))
    complete = error <= options["tolerance"] or abs(weights.sum() - ends[0] + ends[1]) <= noise
    return bool(complete and moved <= max(noise, options["settled"] * sizes))
