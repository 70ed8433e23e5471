"""Attention rollout with gradients (Chefer et al. 2021, Generic Attention-model Explainability):
what positions take of each other, layer by layer, where the explained number rises with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.explaining import Attribution, GradientSubject
from multigraft.errors import PredictError
from multigraft.evaluation.explain.attention import AttentionMaps

TOGETHER = 16
"""Rows that are computed at a time."""
OTHERS = "use integrated-gradients, lime or occlusion"
NOISE = 1e-4
"""The share of a position's values below which a change is rounding."""


def attention_rollout(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """Weights [U], none below 0: the relevance of each position, shared out among the units.

    A position's relevance is what the positions that the number is read from have taken of it
    through all layers; they count by the gradient of what the last layer gives them, so that a
    class token, a last token and a mean are told apart without being named. A position belongs to
    units as much as hiding each alone changes what the first layer takes of it.

    Raises PredictError for a backbone without attention maps, or whose maps are not all of one
    square size, and for several branches.
    """
    del options
    if len(subject.units) > 1:
        raise PredictError("'attention-rollout' explains a value of one branch alone; " + OTHERS)
    heard = AttentionMaps()
    batch = subject.batch(np.zeros((1, subject.count), dtype=bool))
    with torch.enable_grad(), heard:
        number = subject.number(batch).sum()
    _refuse_others(heard.maps)
    *gradients, given = torch.autograd.grad(
        number, [*heard.maps, heard.outputs[-1]], materialize_grads=True
    )
    relevance = _sizes(given.double())[0] @ rolled(heard.maps, gradients)
    weights = _shares(subject, heard.values[0].detach()) @ relevance
    return Attribution(weights.detach().cpu().numpy())


def rolled(maps: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """[T, T]: how much each position (row) has of each other through all layers, by equations 5 and
    6: ``R += mean over heads of max(gradient * map, 0) @ R`` from the identity, which is left out
    of what is given."""
    own = torch.eye(maps[0].shape[-1], dtype=torch.float64, device=maps[0].device)
    found = own
    for each, gradient in zip(maps, gradients, strict=True):
        taken = (each * gradient)[0].double().relu().mean(0)
        found = found + taken @ found
    return found - own


def _refuse_others(maps: Sequence[Tensor]) -> None:
    shapes = {tuple(each.shape[-2:]) for each in maps}
    if not maps:
        raise PredictError(
            "'attention-rollout' needs a backbone with layers of attention by torch's "
            f"scaled_dot_product_attention, and this one has none; {OTHERS}"
        )
    if any(len(each) != 1 for each in maps) or len(shapes) > 1 or len({*shapes.pop()}) > 1:
        raise PredictError(
            "'attention-rollout' needs a backbone all of whose layers attend from every position "
            f"to every position, and this one's do so in windows or between two sequences; {OTHERS}"
        )


def _shares(subject: GradientSubject, row: Tensor) -> Tensor:
    """[U, T]: how much of each position belongs to each unit, 1 in all or nothing."""
    alone = np.eye(subject.count, dtype=bool)
    parts = (alone[start : start + TOGETHER] for start in range(0, len(alone), TOGETHER))
    changes = torch.cat([(_values(subject, each) - row).double() for each in parts])
    sizes = _sizes(changes)
    sizes = torch.where(sizes > NOISE * _sizes(row.double()), sizes, 0)
    whole = sizes.sum(0)
    return sizes / torch.where(whole > 0, whole, 1)


def _sizes(values: Tensor) -> Tensor:
    """[N, heads, T, D] -> [N, T]: norms."""
    return values.square().sum((1, 3)).sqrt()


def _values(subject: GradientSubject, hidden: np.ndarray) -> Tensor:
    """What the first layer takes of each position, [N, heads, T, D], with these units hidden."""
    with torch.no_grad(), AttentionMaps() as heard:
        subject.number(subject.batch(hidden))
    return heard.values[0]
