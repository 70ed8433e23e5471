"""Zero-shot classification: a value's label is the one whose prompts are nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError, PredictError
from multigraft.runtime.answers.embeddings import BIAS, SCALE, output_of
from multigraft.runtime.asking import check_counts
from multigraft.runtime.embedding import dual_branches, embed, one_branch, scaled
from multigraft.runtime.read_value import is_many

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

TEMPLATES = ("a photo of a {}.",)


def classify(
    predictor: Predictor,
    values: Any,
    labels: Sequence[str],
    *,
    templates: Sequence[str] = TEMPLATES,
    top_k: int | None = None,
) -> Any:
    """Answers as of a classification for one value, or for each of many (a list or an iterator).

    A label's vector is the mean of its prompts' (Radford et al. 2021, 3.1.4), which are embedded
    once for all values. A value is a mapping that holds one branch, as ``{"image": "a.jpg"}``; the
    prompts are of the other, which is typed. ``scores`` are a softmax over the labels; of a model
    that judges each pair (siglip) the probability of each by itself.
    """
    check_counts(top_k=top_k)
    many = is_many(values)
    given = list(values) if many else [values]
    dual = dual_branches(predictor)
    if not dual:
        raise BundleError("zero-shot classification needs a bundle of task 'contrastive'")
    placed = [one_branch(value, None, dual, index) for index, value in enumerate(given)]
    answers: list[Answer] = [{}] * len(given)
    for branch in dual:
        rows = [row for row, value in enumerate(placed) if branch in value]
        if not rows:
            continue
        prompts = _prompts(predictor, _other(predictor, dual, branch), labels, templates)
        outputs = predictor.outputs([placed[row] for row in rows])
        for row, output in zip(rows, outputs, strict=True):
            answers[row] = _answer(output, branch, prompts, labels, top_k)
    return answers if many else answers[0]


def _other(predictor: Predictor, dual: Sequence[str], branch: str) -> str:
    """The branch that reads the prompts. Raises PredictError where nobody can type its values."""
    (other,) = (name for name in dual if name != branch)
    if predictor.modality.branches[other].suffixes:
        raise PredictError(
            f"prompts are typed, and {other!r} reads files; classify values of the other branch"
        )
    return other


def _prompts(
    predictor: Predictor, branch: str, labels: Sequence[str], templates: Sequence[str]
) -> np.ndarray:
    """A unit vector for each label [labels, D]."""
    _check(labels, templates)
    texts = [template.replace("{}", label) for label in labels for template in templates]
    vectors = embed(predictor, texts, branch=branch).reshape(len(labels), len(templates), -1)
    return scaled(vectors.mean(1))


def _check(labels: Sequence[str], templates: Sequence[str]) -> None:
    for name, texts in (("labels", labels), ("templates", templates)):
        if isinstance(texts, str) or not texts or not all(isinstance(each, str) for each in texts):
            raise PredictError(f"{name} is {texts!r}; a list of texts is needed")
    if len(set(labels)) < len(labels):
        raise PredictError("labels holds one twice; each stands for itself once")
    if odd := [template for template in templates if "{}" not in template]:
        raise PredictError(f"the template {odd[0]!r} has no {{}}, where a label is to stand")


def _answer(
    output: Arrays, branch: str, prompts: np.ndarray, labels: Sequence[str], top_k: int | None
) -> Answer:
    """The label of the highest score, and all scores."""
    (vector,) = scaled(output[output_of(branch)][None])
    logits = float(output[SCALE]) * (prompts @ vector)
    if BIAS in output:
        scores = 1 / (1 + np.exp(-(logits + float(output[BIAS]))))
    else:
        shares = np.exp(logits - logits.max())
        scores = shares / shares.sum()
    order = np.argsort(-logits, kind="stable")[:top_k]
    named = {labels[place]: float(scores[place]) for place in order.tolist()}
    best = next(iter(named))
    return {"label": best, "score": named[best], "scores": named}
