"""Embeddings of values as unit vectors: of a bundle that embeds, or of a dual encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.errors import BundleError, PredictError, RowError, did_you_mean
from multigraft.runtime.answers.embeddings import branches_of, output_of
from multigraft.runtime.read_value import is_many

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

EMBEDDING = "embedding"


def embed(predictor: Predictor, values: Any, *, branch: str | None = None) -> np.ndarray:
    """The unit vector [D] of one value, or those [N, D] of many (a list or an iterator), float32.

    Of a dual encoder a value is one of ``branch``, or without it a mapping that holds one branch,
    as ``{"text": "a red car"}``; several need not be of the same. Raises BundleError where the
    bundle gives no embedding, RowError for what cannot be read, with its index.
    """
    many = is_many(values)
    found = unit_vectors(predictor, values if many else [values], branch=branch)
    vectors: np.ndarray = found.astype(np.float32)
    return vectors if many else vectors[0]


def unit_vectors(
    predictor: Predictor, values: Iterable[Any], *, branch: str | None = None
) -> np.ndarray:
    """The embeddings of several values scaled to unit length, float64 [N, D]; one of zeros stays as
    it is. Raises as `embed`."""
    dual = dual_branches(predictor)
    check_branch(predictor, branch)
    if not dual:
        return _stacked([each[EMBEDDING] for each in predictor.outputs(values)])
    given = [one_branch(value, branch, dual, index) for index, value in enumerate(values)]
    pairs = zip(given, predictor.outputs(given), strict=True)
    return _stacked([outputs[output_of(next(iter(value)))] for value, outputs in pairs])


def dual_branches(predictor: Predictor) -> tuple[str, ...]:
    """The branches of a dual encoder; none of a bundle that embeds whole values. Raises BundleError
    for one that gives no embedding of one vector a value."""
    bundle = predictor.bundle
    names = [port.name for port in bundle.outputs]
    found = tuple(name for name in branches_of(names) if name in bundle.branches)
    if found or (bundle.generation is None and EMBEDDING in names):
        return found
    raise BundleError(
        f"a bundle of task {bundle.task!r} gives no embedding, by which values are ranked; export "
        "a run of contrastive, of sentence-similarity, or of a pretraining task that does not write"
    )


def check_branch(predictor: Predictor, branch: str | None) -> None:
    """Raise PredictError for a branch that the bundle does not embed."""
    dual = dual_branches(predictor)
    if branch is not None and branch not in dual:
        told = did_you_mean(branch, dual) if dual else "the bundle has no branches"
        raise PredictError(f"branch is {branch!r}; {told}")


def values_of(values: Any, what: str) -> list[Any]:
    """Several values as a list. Raises PredictError for one alone."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise PredictError(f"{what} needs several values, as a list; this is one")
    return list(values)


def one_branch(
    value: Any, branch: str | None, branches: Sequence[str], index: int
) -> dict[str, Any]:
    """A value as a mapping that holds one branch."""
    if branch is not None:
        return {branch: value}
    held = [name for name in value if value[name] is not None] if isinstance(value, Mapping) else []
    if len(held) == 1 and held[0] in branches:
        return {held[0]: value[held[0]]}
    wanted = " or ".join(f"{{{name!r}: ...}}" for name in branches)
    found = f"a mapping of {held}" if isinstance(value, Mapping) else type(value).__name__
    raise RowError(f"item {index}: found {found}; {wanted} is needed, or branch=")


def scaled(vectors: np.ndarray) -> np.ndarray:
    """Vectors [N, D] at unit length; one of zeros stays as it is. Raises BundleError for what is no
    number."""
    found = vectors.astype(np.float64)
    if not np.isfinite(found).all():
        raise BundleError("the graph gives values that are no numbers; export the run again")
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
    return unit


def _stacked(vectors: Sequence[np.ndarray]) -> np.ndarray:
    return scaled(np.stack(vectors)) if vectors else np.zeros((0, 0))
