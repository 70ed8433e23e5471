"""Answers that are any number of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, ExplainedNumber, Window
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.classification import mean_probabilities, names_of, probability_of

HALF = 0.5


class MultiLabel(Answers):
    """The labels whose probability reaches their threshold, and every label's probability, best
    first.

    The graph gives ``probabilities`` [labels]; the targets hold a threshold for each label, else it
    is 0.5. Of a value in several windows they are the mean, weighted by the windows' lengths.

    >>> window = Window({}, {"probabilities": np.array([0.25, 0.75, 0.5])})
    >>> labels = MultiLabel({"labels": ["a", "b", "c"], "thresholds": [0.2, 0.5, 0.6]})
    >>> labels.answer("fine", [window], {"top_k": None, "threshold": None})
    {'labels': ['b', 'a'], 'scores': {'b': 0.75, 'c': 0.5, 'a': 0.25}}
    >>> labels.answer("fine", [window], {"top_k": 2, "threshold": 0.4})
    {'labels': ['b', 'c'], 'scores': {'b': 0.75, 'c': 0.5}}
    """

    asks: Mapping[str, Option] = {
        "top_k": Option(default=None, types=(int,), low=1, help="keep the best scores only"),
        "threshold": Option(
            default=None,
            types=(int, float),
            low=0,
            high=1,
            help="answer the labels that score at least as high; unset: each label's own threshold",
        ),
    }
    joins = True
    flips = ("probabilities",)

    def __init__(self, targets: Spec) -> None:
        self._labels = names_of(targets.get("labels"))
        self._thresholds = thresholds_of(targets, len(self._labels))

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the labels do not belong together."""
        found = mean_probabilities(windows, self._labels)
        bars = self._thresholds if asked["threshold"] is None else asked["threshold"]
        reached = above(found, bars)
        order = np.argsort(-found, kind="stable")[: asked["top_k"]].tolist()
        return {
            "labels": [self._labels[place] for place in order if reached[place]],
            "scores": {self._labels[place]: float(found[place]) for place in order},
        }

    def explained(self, answer: Answer, of: str | None) -> ExplainedNumber:
        """The probability of a label; of the most probable one unless another is asked for."""
        return probability_of(self._labels, of or next(iter(answer["scores"])))


def above(probabilities: np.ndarray, thresholds: Any) -> np.ndarray:
    """Which probabilities [..., labels] reach their label's threshold, in double precision."""
    reached: np.ndarray = probabilities.astype(np.float64) >= np.asarray(thresholds, np.float64)
    return reached


def thresholds_of(targets: Spec, count: int) -> np.ndarray:
    """[count]: a threshold for each label, 0.5 where the targets have none. Raises BundleError
    where a file lists something else."""
    if "thresholds" not in targets:
        return np.full(count, HALF)
    try:
        found = np.asarray(targets["thresholds"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BundleError("the thresholds are no numbers; export the run again") from error
    if found.shape != (count,) or not ((found >= 0) & (found <= 1)).all():
        raise BundleError(f"there are {count} labels, and not a threshold from 0 to 1 for each")
    return found
