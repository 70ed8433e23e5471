"""The loss and the head of a dual encoder, beside plain sums."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from multigraft.contracts.features import Features
from multigraft.models.tasks.contrastive.head import FIRST_BIAS, MOST, DualHead
from multigraft.models.tasks.contrastive.losses import pairwise_sigmoid
from multigraft.models.tasks.contrastive.objective import Contrastive

ALL = ~torch.eye(3, dtype=torch.bool)


def vectors(seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(3, 5, generator=torch.Generator().manual_seed(seed)), dim=-1)


def features(rows: int) -> Features:
    made = {
        name: Features(torch.randn(rows, width, generator=torch.Generator().manual_seed(width)))
        for name, width in (("text", 4), ("image", 6))
    }
    return Features(torch.cat([each.pooled for each in made.values()], 1), branches=made)


def head(*, temperature: float = 0.07, biased: bool = False) -> DualHead:
    return DualHead(
        {"text": 4, "image": 6},
        5,
        log_scale=-math.log(temperature),
        bias=FIRST_BIAS if biased else None,
    )


def test_the_sigmoid_loss_asks_of_each_pair_by_itself() -> None:
    ours, theirs = vectors(0), vectors(1)
    scale, bias = torch.tensor(7.0), torch.tensor(-2.0)
    found = pairwise_sigmoid(ours, theirs, ALL, scale=scale, bias=bias)
    for row in range(3):
        logits = [float(ours[row] @ other) * 7 - 2 for other in theirs]
        signs = [1 if column == row else -1 for column in range(3)]
        wanted = sum(
            math.log(1 + math.exp(-sign * logit)) for sign, logit in zip(signs, logits, strict=True)
        )
        assert float(found[row].detach()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_the_loss_is_computed_in_full_precision(loss: str) -> None:
    names = {"text": SimpleNamespace(width=4), "image": SimpleNamespace(width=6)}
    brief: Any = SimpleNamespace(
        backbone=SimpleNamespace(named=names),
        options={"loss": loss, "width": 5, "temperature": None},
    )
    objective = Contrastive(brief)
    outputs = objective.head()(features(3), {})
    batch = {"text_id": torch.arange(3), "image_id": torch.arange(3)}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = objective.loss(outputs, batch).total
    assert torch.equal(found, objective.loss(outputs, batch).total)
    assert found.dtype == torch.float32


def test_an_equal_value_is_left_out_of_the_sigmoid_loss() -> None:
    allowed = ALL.clone()
    allowed[0, 1] = allowed[1, 0] = False
    whole, fewer = (
        pairwise_sigmoid(
            vectors(0), vectors(1), each, scale=torch.tensor(5.0), bias=torch.tensor(0.0)
        )
        for each in (ALL, allowed)
    )
    logit = float(vectors(0)[0] @ vectors(1)[1]) * 5
    assert float(whole[0] - fewer[0]) == pytest.approx(math.log(1 + math.exp(logit)), rel=1e-5)
    assert torch.equal(whole[2], fewer[2])


def test_the_head_gives_unit_vectors_of_one_width_and_the_scale_of_their_cosines() -> None:
    found = head(temperature=0.1, biased=True)(features(3), {})
    for name in ("text_embedding", "image_embedding"):
        assert found[name].shape == (3, 5)
        assert torch.allclose(found[name].norm(dim=1), torch.ones(3), atol=1e-6)
    assert found["scale"].tolist() == pytest.approx([10.0] * 3)
    assert found["bias"].tolist() == [FIRST_BIAS] * 3
    assert "bias" not in head()(features(3), {})


def test_a_row_that_lacks_a_branch_has_zeros() -> None:
    given = features(2)
    given.branches["image"].pooled[1] = 0
    found = head()(given, {})["image_embedding"]
    assert found[0].any() and not found[1].any()


def test_the_scale_stays_below_its_bound_and_comes_back() -> None:
    made = head().train()
    with torch.no_grad():
        made.log_scale.fill_(math.log(1000))
    scale = made(features(2), {})["scale"]
    assert scale.tolist() == pytest.approx([MOST] * 2, rel=1e-5)
    scale.sum().backward()
    assert made.log_scale.grad is not None and float(made.log_scale.grad) > 0, "it can be lowered"
    assert float(made.log_scale.detach()) == pytest.approx(math.log(MOST), rel=1e-6)
    with torch.no_grad():
        made.log_scale.fill_(math.log(1000))
    kept = made.eval()(features(2), {})["scale"]
    assert kept.tolist() == pytest.approx([MOST] * 2, rel=1e-5)
    assert float(made.log_scale.detach()) == pytest.approx(math.log(1000)), (
        "evaluation changes it not"
    )
