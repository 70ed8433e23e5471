"""Attention rollout: its maps are transformers' own, and what it rolls is known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.contracts.readers import read_row
from multigraft.evaluation.explain.attention import AttentionMaps, attention
from multigraft.evaluation.explain.graft_subject import GraftSubject, Served
from multigraft.evaluation.explain.rollout import attention_rollout, rolled
from multigraft.models.graft import Graft
from multigraft.runtime.answers import make_answers
from multigraft.runtime.explain.subject import units_of


def subject_of(run: mg.Run, raw: Any, *, graft: Graft | None = None) -> GraftSubject:
    row = read_row(run.reader, raw)
    served = Served((graft or run.graft).eval(), run.objective, run.reader)
    units = units_of(run.reader, raw, row, modality=run.resolved.modality.name)
    number = make_answers(run.resolved.task, run.targets).explained({}, "first")
    return GraftSubject(row, units, number, served.compute, served=served)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scale": 0.3, "is_causal": True},
        {"attn_mask": torch.tensor([[True, True, False, True, False]])},
        {"attn_mask": torch.linspace(-1, 1, 25).reshape(5, 5)},
    ],
    ids=["plain", "causal", "mask", "bias"],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_attention_in_the_open_is_torchs(given: dict[str, Any], groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 5, 8, generator=generator)
    key, value = torch.randn(2, 2, 4 // groups, 5, 8, generator=generator)
    asked = {**given, "enable_gqa": groups > 1}
    shares, values = attention(query, key, value, **asked)
    wanted = F.scaled_dot_product_attention(query, key, value, **asked)
    torch.testing.assert_close(shares @ values, wanted)
    with AttentionMaps() as heard:
        torch.testing.assert_close(
            F.scaled_dot_product_attention(query, key, value, **asked), wanted
        )
    assert torch.equal(heard.maps[0], shares)


def test_relevance_by_hand() -> None:
    """Two layers of two heads; what the gradient speaks against does not count."""
    maps = [torch.full((1, 2, 2, 2), 0.5), torch.full((1, 2, 2, 2), 0.5)]
    first = torch.tensor([[[[0.0, 4.0], [0.0, 0.0]], [[0.0, -8.0], [0.0, 0.0]]]])
    second = torch.tensor([[[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [6.0, 0.0]]]])
    # layer 1: position 0 takes 1 of 1; layer 2: position 1 takes 2 of 0, and so 2 of 1 through it
    assert rolled(maps, [first, second]).tolist() == [[0, 1], [2, 2]]


def test_of_a_bert_it_is_that_of_transformers_maps() -> None:
    """The same from ``output_attentions`` of the eager implementation."""
    made = tiny("text")
    subject = subject_of(made.run, made.value)
    found = attention_rollout(subject, {}).weights
    backbone: Any = made.run.graft.backbone
    batch = subject.batch(np.zeros((1, subject.count), bool))
    model, kept = backbone.model, []
    real = model.base_model.forward

    def eager(**given: Any) -> Any:
        output = real(**given, output_attentions=True)
        kept.extend(output.attentions)
        return output

    model.set_attn_implementation("eager")
    model.base_model.forward = eager
    try:
        number = subject.number(batch).sum()
    finally:
        del model.base_model.forward
        model.set_attn_implementation("sdpa")
    gradients = torch.autograd.grad(number, kept)
    relevance = torch.eye(kept[0].shape[-1])
    for each, gradient in zip(kept, gradients, strict=True):
        relevance = relevance + (each * gradient).clamp(min=0)[0].mean(0) @ relevance
    own = relevance[0] - torch.eye(len(relevance))[0]  # of the class token, which is pooled
    ids = subject.row["input_ids"]
    words = [
        (subject.hide(one)["input_ids"] != ids).nonzero()[0]
        for one in np.eye(subject.count, dtype=bool)
    ]
    wanted = np.array([own[each].sum().item() for each in words])
    np.testing.assert_allclose(found / found.max(), wanted / wanted.max(), atol=1e-4)


def test_a_table_s_transformer_has_maps_too_also_where_all_of_it_is_frozen() -> None:
    made = tiny("table")
    wanted = attention_rollout(subject_of(made.run, made.value), {}).weights
    learning = {name: each.requires_grad for name, each in made.run.graft.named_parameters()}
    made.run.graft.requires_grad_(False)
    try:
        frozen = attention_rollout(subject_of(made.run, made.value), {}).weights
    finally:
        for name, each in made.run.graft.named_parameters():
            each.requires_grad_(learning[name])
    assert (wanted >= 0).all()
    assert wanted.max() > 0
    np.testing.assert_allclose(frozen, wanted)


class Toy:
    """Three numbers, each a unit that is 0 where it is hidden, as the values of as many positions,
    behind an empty one; ``read`` says how much each position of what is attended to counts."""

    count, units = 3, {"": None}
    row = torch.tensor([1.0, 2.0, 3.0])

    def __init__(self, read: list[float]) -> None:
        self.read = torch.tensor(read)

    def batch(self, hidden: np.ndarray) -> dict[str, torch.Tensor]:
        return {"numbers": torch.where(torch.from_numpy(hidden), 0.0, self.row)}

    def number(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        values = F.pad(batch["numbers"], (1, 0))[:, None, :, None]
        keys = torch.tensor([0.0, 1.0, 1.0, 2.0])[None, None, :, None].expand_as(values)
        attended = F.scaled_dot_product_attention(keys, keys, values)
        return (attended[:, 0, :, 0] * self.read).sum(1)


@pytest.mark.parametrize("read", [[1.0, 0, 0, 0], [0, 0, 0, 1.0], [0.25] * 4])
def test_positions_count_by_what_is_read_of_them(read: list[float]) -> None:
    """Of one layer a unit's relevance is its value times the share that is taken of it, summed over
    the positions that are read, as strongly as they are read, since the gradient is that too."""
    toy: Any = Toy(read)
    keys = torch.tensor([0.0, 1.0, 1.0, 2.0])
    shares = torch.outer(keys, keys).softmax(-1)
    wanted = (torch.tensor(read).square() @ shares)[1:] * toy.row
    np.testing.assert_allclose(attention_rollout(toy, {}).weights, wanted.numpy(), rtol=1e-5)


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_backbone_without_attention_is_refused(modality: str) -> None:
    made = tiny(modality)
    with pytest.raises(
        mg.MultigraftError, match="'attention-rollout' needs a backbone with layers"
    ):
        attention_rollout(subject_of(made.run, made.value), {})
