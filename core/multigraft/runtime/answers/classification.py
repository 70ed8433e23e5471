"""Answers that rank labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, ExplainedNumber, Window
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError, PredictError, did_you_mean


class Classification(Answers):
    """The most probable label, and every label's probability, best first.

    The graph gives ``probabilities`` [labels]. Of a value in several windows they are the mean,
    weighted by the windows' lengths.

    >>> window = Window({}, {"probabilities": np.array([0.25, 0.75])})
    >>> ranking = Classification({"labels": ["no", "yes"]})
    >>> ranking.answer("fine", [window], {"top_k": None, "threshold": None})
    {'label': 'yes', 'score': 0.75, 'scores': {'yes': 0.75, 'no': 0.25}}
    >>> ranking.answer("fine", [window], {"top_k": 1, "threshold": 0.8})
    {'label': None, 'score': None, 'scores': {}}
    """

    asks: Mapping[str, Option] = {
        "top_k": Option(default=None, types=(int,), low=1, help="keep the best scores only"),
        "threshold": Option(
            default=None,
            types=(int, float),
            low=0,
            high=1,
            help="keep scores at least as high; without one there is no label",
        ),
    }
    joins = True
    flips = ("probabilities",)

    def __init__(self, targets: Spec) -> None:
        self._labels = names_of(targets.get("labels"))

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the labels do not belong together."""
        labels, found = self._labels, mean_probabilities(windows, self._labels)
        order = np.argsort(-found, kind="stable")[: asked["top_k"]]
        names = [labels[place] for place in order.tolist()]
        scores = dict(zip(names, found[order].tolist(), strict=True))
        if asked["threshold"] is not None:
            scores = {name: score for name, score in scores.items() if score >= asked["threshold"]}
        label, score = next(iter(scores.items()), (None, None))
        return {"label": label, "score": score, "scores": scores}

    def explained(self, answer: Answer, of: str | None) -> ExplainedNumber:
        """The probability of a label; of the answered one unless another is asked for."""
        return probability_of(self._labels, of or next(iter(answer["scores"])))


def probability_of(labels: Sequence[str], name: str) -> ExplainedNumber:
    """The probability of a label among ``probabilities``. Raises PredictError for one that there is
    not."""
    return ExplainedNumber(name, "probabilities", (place_of(name, labels, noun="label"),))


def place_of(name: str, names: Sequence[str], *, noun: str) -> int:
    """Where a name stands. Raises PredictError where it does not."""
    if name not in names:
        raise PredictError(f"there is no {noun} {name!r}; {did_you_mean(name, names)}")
    return names.index(name)


def mean_probabilities(windows: Sequence[Window], labels: Sequence[str]) -> np.ndarray:
    """[labels]: the mean of the windows' probabilities, weighted by their lengths.

    Raises BundleError where they are not finite, or not one for each label.

    >>> one, other = (np.array(each) for each in ([1.0, 0.0], [0.25, 0.75]))
    >>> windows = [Window({}, {"probabilities": one}, 2), Window({}, {"probabilities": other}, 1)]
    >>> mean_probabilities(windows, ["no", "yes"]).tolist()
    [0.75, 0.25]
    """
    found = weighted_mean(windows, "probabilities")
    if found.shape[-1] != len(labels):
        raise BundleError(
            f"the graph tells {found.shape[-1]} labels apart; the targets do not list as many "
            "different ones by name"
        )
    if not np.isfinite(found).all():
        raise BundleError("the graph gives values that are no numbers; export the run again")
    return found


def weighted_mean(windows: Sequence[Window], name: str) -> np.ndarray:
    """The mean of an output of the windows, weighted by their lengths; of one window the output."""
    if len(windows) == 1:
        return windows[0].outputs[name]
    each = np.stack([window.outputs[name] for window in windows]).astype(np.float64)
    lengths = np.array([window.length for window in windows])
    shares = (lengths / lengths.sum()).reshape(-1, *[1] * (each.ndim - 1))
    mean: np.ndarray = (shares * each).sum(0)
    return mean


def names_of(labels: Any) -> list[str]:
    """The labels; none where a file lists what are no names, or not all different."""
    named = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    return labels if named and len(set(labels)) == len(labels) else []
