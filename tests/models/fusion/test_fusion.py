"""Fusion of branches beside the formulas, and what it does with branches that are not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Features
from multigraft.errors import RecipeError
from multigraft.models.branches import joined
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.fusion.concatenation import Concatenation
from multigraft.models.fusion.cross_attention import CrossAttention
from multigraft.models.fusion.gated import GatedSum
from multigraft.models.fusion.presence import hidden

WIDTHS = {"text": 12, "table": 6}
EVERY = [Concatenation, GatedSum, CrossAttention]


def features(present: Tensor | None = None, *, seed: int = 0) -> Features:
    """Three rows of a text of five positions, the last two of which pad the second row, and a table
    without a sequence."""
    torch.manual_seed(seed)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    text = Features(torch.randn(3, 12), torch.randn(3, 5, 12), mask)
    return joined({"text": text, "table": Features(torch.randn(3, 6))}, present)


def fused(kind: Any, hides: float = 0.0) -> Any:
    torch.manual_seed(1)
    width = 18 if kind is Concatenation else 12
    return kind(WIDTHS, width, hides).eval()


def test_a_gated_sum_is_the_formula() -> None:
    given, module = features(), fused(GatedSum)
    vectors = [
        nn.functional.layer_norm(each.pooled, each.pooled.shape[1:])
        for each in given.branches.values()
    ]
    gates = module.gate(torch.cat(vectors, 1)).softmax(1)
    assert torch.allclose(gates.sum(1), torch.ones(3))
    want = sum(
        gates[:, place : place + 1] * torch.tanh(module.project[place](vector))
        for place, vector in enumerate(vectors)
    )
    torch.testing.assert_close(module(given), want)


def test_cross_attention_is_torchs_own() -> None:
    given, module = features(), fused(CrossAttention)
    own = nn.MultiheadAttention(12, module.heads, batch_first=True).eval()
    own.load_state_dict(
        {
            "in_proj_weight": torch.cat([module.query.weight, module.key_value.weight]),
            "in_proj_bias": torch.cat([module.query.bias, module.key_value.bias]),
            "out_proj.weight": module.output.weight,
            "out_proj.bias": module.output.bias,
        }
    )
    text, table = given.branches.values()
    assert text.sequence is not None and text.mask is not None
    told = module.inputs[0](text.sequence) + module.marks[0]
    rest = module.inputs[1](table.pooled)[:, None] + module.marks[1]
    asks = torch.cat([module.inputs[0](text.pooled)[:, None] + module.marks[0], rest], 1)
    places = module.norm(torch.cat([told, rest], 1))
    padding = torch.cat([~text.mask, torch.zeros(3, 1, dtype=torch.bool)], 1)
    heard = own(module.norm(asks), places, places, key_padding_mask=padding)[0]
    torch.testing.assert_close(module(given), module.last_norm(asks + heard).mean(1))


def without(given: Features) -> Features:
    """The same rows with other features where a row lacks them."""
    assert given.present is not None
    branches = {}
    for place, (name, each) in enumerate(given.branches.items()):
        there = given.present[:, place] > 0
        pooled = torch.where(there[:, None], each.pooled, 7.0)
        sequence = each.sequence
        if sequence is not None:
            sequence = torch.where(there[:, None, None], sequence, 7.0)
        branches[name] = Features(pooled, sequence, each.mask)
    return joined(branches, given.present)


@pytest.mark.parametrize("kind", [GatedSum, CrossAttention])
def test_what_a_row_lacks_has_no_say(kind: Any) -> None:
    given, module = features(torch.tensor([[1, 1], [1, 0], [0, 1]])), fused(kind)
    found = module(given)
    torch.testing.assert_close(found, module(without(given)))
    assert not torch.allclose(found[1:], module(features())[1:])


@pytest.mark.parametrize("kind", EVERY)
def test_modality_dropout_hides_in_training_alone(kind: Any) -> None:
    module, given = fused(kind, hides=0.5), features()
    torch.testing.assert_close(module(given), fused(kind)(given))
    module.train()
    torch.manual_seed(3)
    drawn = torch.stack([module(given)[0] for _ in range(40)])
    assert len({tuple(row.round(decimals=4).tolist()) for row in drawn}) == 3, (
        "both, either alone, never none"
    )


@pytest.mark.parametrize("kind", EVERY)
def test_a_row_that_has_nothing_gives_numbers(kind: Any) -> None:
    given = features(torch.tensor([[1, 1], [0, 0], [0, 1]]))
    assert bool(torch.isfinite(fused(kind)(given)).all())


def test_branches_are_hidden_as_often_as_asked_and_never_all() -> None:
    torch.manual_seed(0)
    there = torch.ones(20_000, 2, dtype=torch.int64)
    there[:5000, 1] = 0
    kept = hidden(there, 0.3)
    assert kept.dtype == there.dtype
    assert bool((kept.sum(1) >= 1).all()) and bool((kept <= there).all())
    assert bool((kept[:5000, 0] == 1).all()), "what is alone stays"
    # one of both is hidden where its draw says so, and not where the other's says so more
    share = 1 - kept[5000:].float().mean().item()
    assert share == pytest.approx(0.3 - 0.3**2 / 2, abs=0.01)


def test_a_fusion_of_one_backbone_is_refused() -> None:
    brief: Any = SimpleNamespace(
        backbone=SimpleNamespace(width=4), options={"fusion": "gated", "modality_dropout": 0.2}
    )
    with pytest.raises(RecipeError) as caught:
        fusion_of(brief)
    assert "task.fusion: found 'gated'; it is for several branches" in str(caught.value)
    assert "task.modality_dropout: found 0.2" in str(caught.value)
    brief.options = {}
    assert fusion_of(brief) == (None, 4)
