"""Several backbones in one graft: what each computes, and what of each learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from helpers.greys.network import Lattice
from helpers.span_toy_network import WordNet
from multigraft.contracts.branches import PRESENT
from multigraft.contracts.features import Batch
from multigraft.contracts.plan import Plan, block_of
from multigraft.models.adapters import merge_adapters
from multigraft.models.branches import Branches
from multigraft.models.graft import Graft
from multigraft.models.tasks.classification import LinearHead
from multigraft.plugins import builtin

STRATEGIES = {strategy.name: strategy for strategy in builtin.register_strategies()}
GREY = 8


@pytest.fixture
def graft() -> Graft:
    torch.manual_seed(0)
    branches = Branches({"words": WordNet(), "grey": Lattice(GREY)})
    return Graft(branches, LinearHead(branches.width, 2, bias=True, dropout=0.0)).eval()


def batch(present: list[list[int]] | None = None) -> Batch:
    rows = 3
    torch.manual_seed(1)
    made = {
        "words.ids": torch.randint(1, 400, (rows, 5)),
        "words.mask": torch.ones(rows, 5, dtype=torch.long),
        "grey.pixels": torch.randint(0, 9, (rows, 4, 6)),
        "grey.real": torch.ones(rows, 4, 6, dtype=torch.long),
    }
    return made if present is None else {**made, PRESENT: torch.tensor(present)}


def planned(graft: Graft, chosen: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Plan:
    plan = Plan.start(graft)
    for branch, (name, options) in chosen.items():
        defaults = {key: option.default for key, option in STRATEGIES[name].options.items()}
        plan = STRATEGIES[name].plan(replace(plan, branch=branch), {**defaults, **options})
    return replace(plan, branch="")


def learning(plan: Plan) -> set[str]:
    return {name for name, rule in plan.rules.items() if rule.learns}


def test_pooled_is_every_branch_side_by_side(graft: Graft) -> None:
    whole = batch()
    features = graft.backbone(whole)
    words, grey = (features.branches[name].pooled for name in ("words", "grey"))
    assert torch.equal(features.pooled, torch.cat([words, grey], 1))
    alone = graft.branches["words"].backbone(
        {"ids": whole["words.ids"], "mask": whole["words.mask"]}
    )
    assert torch.equal(words, alone.pooled) and features.present is None


def test_a_row_that_lacks_a_branch_has_zeros_and_is_not_computed(graft: Graft) -> None:
    seen: list[int] = []
    grey = graft.branches["grey"].backbone
    grey.register_forward_hook(lambda module, given, made: seen.append(len(made.pooled)))
    present = [[1, 0], [1, 1], [0, 1]]
    features, whole = graft.backbone(batch(present)), graft.backbone(batch())
    for row, there in enumerate(present):
        for place, name in enumerate(("words", "grey")):
            found, full = (each.branches[name].pooled[row] for each in (features, whole))
            assert torch.allclose(found, full * there[place], atol=1e-6)
    assert seen == [2, 3]
    assert features.branches["grey"].maps[0].shape == (3, GREY, 4, 6)
    assert not features.branches["grey"].maps[0][0].any()


def test_a_branch_that_no_row_has_is_not_asked(graft: Graft) -> None:
    grey = graft.train().branches["grey"].backbone
    seen: list[bool] = []
    grey.register_forward_hook(lambda module, given, made: seen.append(module.training))
    features = graft.backbone(batch([[1, 0]] * 3))
    assert not features.branches["grey"].pooled.any()
    assert graft(batch([[1, 0]] * 3))["logits"].shape == (3, 2) and seen == []
    (level,) = features.branches["grey"].maps  # a shape is only known from a row
    assert level.shape == (3, GREY, 4, 6) and not level.any()
    assert seen == [False] and grey.training


def test_statistics_of_a_batch_are_of_the_rows_that_are_there() -> None:
    class Normed(nn.Module):
        width, head_bias = 2, True

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2, momentum=1.0)
            self.blocks = [self.norm]

        def forward(self, batch: Batch) -> Any:
            from multigraft.contracts.features import Features

            return Features(self.norm(batch["x"]))

    branches = Branches({"a": Normed(), "b": Normed()})
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1000.0, 1000.0]])
    branches.train()({"a.x": x, "b.x": x, PRESENT: torch.tensor([[1, 1], [1, 1], [0, 1]])})
    assert branches.named["a"].backbone.norm.running_mean.tolist() == [2.0, 3.0]


def test_each_branch_has_a_plan_of_its_own(graft: Graft) -> None:
    """A flat list of blocks would leave a whole tower frozen under `partial`."""
    chosen = {"words": ("partial", {"blocks": 1}), "grey": ("partial", {"blocks": 1})}
    found = learning(planned(graft, chosen))
    assert any("layers.1" in name and "towers.0" in name for name in found)
    assert any("layers.1" in name and "towers.1" in name for name in found)
    assert not any("layers.0" in name or "embed" in name for name in found)
    assert {"head.linear.weight", "head.linear.bias"} <= found


def test_strategies_differ_by_branch(graft: Graft) -> None:
    plan = planned(graft, {"words": ("linear-probe", {}), "grey": ("full", {})})
    assert learning(plan) == {
        name for name, _ in graft.named_parameters() if "towers.0" not in name
    }
    depths = {branch: own.frozen(0.0) for branch, own in plan.by_branch().items()}
    assert depths == {"words": 4, "grey": 0}
    plan.activate(0.0)
    assert not graft.branches["words"].backbone.training
    assert graft.branches["grey"].backbone.training


def test_adapters_of_one_branch_leave_the_other_as_planned(graft: Graft) -> None:
    before = {name: value.clone() for name, value in graft.state_dict().items()}
    plan = planned(graft, {"grey": ("linear-probe", {}), "words": ("lora", {"rank": 2})})
    found = learning(plan)
    assert found and all("lora_" in name or name.startswith("head") for name in found)
    assert all("towers.0" in name or name.startswith("head") for name in found)
    merge_adapters(graft)
    after = graft.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name]) for name in before)


def test_seen_from_one_branch_it_is_the_same_graft(graft: Graft) -> None:
    for present in (None, [[1, 1], [0, 1], [1, 1]]):
        whole = batch(present)
        seen = graft.seen_from("grey")
        assert torch.equal(seen(whole)["logits"], graft(whole)["logits"])
    assert {id(each) for each in seen.parameters()} == {id(each) for each in graft.parameters()}
    assert max(block_of(seen).values()) == 1
    assert seen.training is graft.training and not any(
        module.training for module in graft.modules()
    )
