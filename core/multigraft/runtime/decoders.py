"""From graph outputs to answers: numpy only, used by the bundle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal, TypeVar

import numpy as np

from multigraft.contracts.records import Answer, Arrays, Lazy, Spec
from multigraft.errors import BundleError

Decoder = Literal["classification", "embedding", "outputs"]
Merge = Literal["mean_probabilities"]
Name = TypeVar("Name", bound=str)


def classification(targets: Spec, outputs: Arrays) -> list[Answer]:
    """The most probable label of each row, and every label's probability, best first.

    ``outputs["probabilities"]`` is [B, len(targets["labels"])]. Raises BundleError where it is not.

    >>> classification({"labels": ["no", "yes"]}, {"probabilities": np.array([[0.25, 0.75]])})
    [{'label': 'yes', 'score': 0.75, 'scores': {'yes': 0.75, 'no': 0.25}}]
    """
    probabilities = outputs["probabilities"]
    labels = _labels(targets, probabilities.shape[-1])
    if not np.isfinite(probabilities).all():
        raise BundleError("the graph gives values that are no numbers; export the run again")
    return [_best(labels, row) for row in probabilities]


def mean_probabilities(outputs: Arrays, lengths: np.ndarray) -> Arrays:
    """The windows of one value as one row: the mean of their probabilities, weighted by their
    lengths.

    >>> import numpy as np
    >>> windows = {"probabilities": np.array([[1.0, 0.0], [0.25, 0.75]])}
    >>> mean_probabilities(windows, np.array([2, 1]))["probabilities"].tolist()
    [[0.75, 0.25]]
    """
    weights = lengths / lengths.sum()
    mean = (weights[:, None] * outputs["probabilities"].astype(np.float64)).sum(0, keepdims=True)
    with np.errstate(divide="ignore"):  # of a probability of 0
        return {"probabilities": mean, "logits": np.log(mean)}


def embedding(targets: Spec, outputs: Arrays) -> list[Answer]:
    """The pooled features of each row; ``outputs["embedding"]`` is [B, D]."""
    return [{"embedding": row.tolist()} for row in outputs["embedding"]]


def outputs(targets: Spec, outputs: Arrays) -> list[Answer]:
    """Every output of each row as it is.

    >>> outputs({}, {"mean": np.array([1.5, 2.0]), "top": np.array([[3, 1], [2, 4]])})
    [{'mean': 1.5, 'top': [3, 1]}, {'mean': 2.0, 'top': [2, 4]}]
    """
    rows = min((len(array) for array in outputs.values()), default=0)
    return [{name: array[row].tolist() for name, array in outputs.items()} for row in range(rows)]


DECODERS: Mapping[Decoder, Callable[[Spec, Arrays], list[Answer]]] = {
    "classification": classification,
    "embedding": embedding,
    "outputs": outputs,
}
"""What a bundle may name, so that it answers without the plugin that brought its task."""
MERGES: Mapping[Merge, Callable[[Arrays, np.ndarray], Arrays]] = {
    "mean_probabilities": mean_probabilities
}


def default_decoder(served: Collection[str]) -> Callable[[Spec, Arrays], list[Answer]]:
    """What answers for a task that does not say so itself, by the names that its graph gives."""
    return embedding if "embedding" in served else outputs


def name_in(functions: Mapping[Name, object], function: object) -> Name | None:
    """Under which name a function stands there; None where it is another one."""
    if isinstance(function, Lazy):
        module, _, attribute = function.target.partition(":")
        return next((name for name in functions if (module, attribute) == (__name__, name)), None)
    return next((name for name, known in functions.items() if known is function), None)


def _labels(targets: Spec, count: int) -> list[str]:
    """The labels, one for each of ``count`` outputs; both come from files that may not belong
    together."""
    labels = targets.get("labels")
    told = (
        f"the graph tells {count} labels apart; the targets do not list as many different ones by "
        "name"
    )
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BundleError(told)
    if len(set(labels)) != len(labels) or len(labels) != count:
        raise BundleError(told)
    return labels


def _best(labels: list[str], row: np.ndarray) -> Answer:
    order = np.argsort(-row, kind="stable")
    ranked = dict(
        zip([labels[index] for index in order.tolist()], row[order].tolist(), strict=True)
    )
    label, score = next(iter(ranked.items()))
    return {"label": label, "score": score, "scores": ranked}
