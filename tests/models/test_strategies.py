"""Each strategy's rules on a backbone with two blocks and parameters before and after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from multigraft.contracts.features import Features
from multigraft.contracts.plan import Plan, block_of
from multigraft.errors import RecipeError
from multigraft.models.adapters import merge_adapters
from multigraft.models.graft import Graft
from multigraft.models.tasks.classification import LinearHead
from multigraft.plugins import builtin
from multigraft.training.defaults import default_rate
from multigraft.training.replay.frozen import Prefix, Whole, frozen_part
from multigraft_series.network import SeriesNet

WIDTH = 8
STRATEGIES = {strategy.name: strategy for strategy in builtin.register_strategies()}


@pytest.fixture
def graft() -> Graft:
    torch.manual_seed(0)
    return Graft(SeriesNet(WIDTH, depth=2), LinearHead(WIDTH, 2, bias=True, dropout=0.0))


def plan(graft: Graft, *names: str, **options: Any) -> Plan:
    made = Plan.start(graft)
    for name in names:
        defaults = {key: option.default for key, option in STRATEGIES[name].options.items()}
        made = STRATEGIES[name].plan(
            made, {**defaults, **{k: v for k, v in options.items() if k in defaults}}
        )
    return made


def learning(made: Plan) -> set[str]:
    return {name for name, rule in made.rules.items() if rule.learns}


def test_loose_parameters_go_with_the_block_that_follows(graft: Graft) -> None:
    blocks = block_of(graft)
    assert blocks["backbone.hidden"] == 0  # stands before the first block
    assert blocks["backbone.embed.weight"] == 0
    assert blocks["backbone.layers.0.linear.weight"] == 1
    assert blocks["backbone.layers.1.norm.bias"] == 2
    assert blocks["backbone.last_norm.weight"] == 3  # stands after the last
    assert "head.linear.weight" not in blocks


def test_full_and_linear_probe(graft: Graft) -> None:
    everything = {name for name, _ in graft.named_parameters()}
    assert learning(plan(graft, "full")) == everything
    assert learning(plan(graft, "linear-probe")) == {"head.linear.weight", "head.linear.bias"}


def test_partial_learns_the_last_blocks_and_what_follows(graft: Graft) -> None:
    names = learning(plan(graft, "partial", blocks=1))
    assert {name.split(".")[1] for name in names if name.startswith("backbone")} == {
        "layers",
        "last_norm",
    }
    assert all("layers.0" not in name for name in names)
    with pytest.raises(RecipeError, match=r"partial\.blocks is 9, but the backbone has 3 blocks"):
        plan(graft, "partial", blocks=9)


def test_gradual_unfreezing_goes_from_the_head_down(graft: Graft) -> None:
    made = plan(graft, "gradual-unfreezing", until=0.8)
    starts = [
        made.rules[name].start
        for name in (
            "head.linear.weight",
            "backbone.last_norm.weight",
            "backbone.layers.1.linear.weight",
            "backbone.layers.0.linear.weight",
            "backbone.embed.weight",
        )
    ]
    assert starts == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    made.activate(0.45)
    active = {name for name, parameter in graft.named_parameters() if parameter.requires_grad}
    assert active == {name for name, rule in made.rules.items() if rule.start <= 0.45}
    assert graft.backbone.layers[1].training
    assert not graft.backbone.layers[0].training  # frozen parts rest: no dropout


def test_layer_wise_decay_and_its_combination(graft: Graft) -> None:
    made = plan(graft, "layer-wise-decay", "gradual-unfreezing", decay=0.5, until=0.5)
    assert made.rules["head.linear.weight"].scale == 1
    assert made.rules["backbone.last_norm.weight"].scale == 1
    assert made.rules["backbone.layers.1.linear.weight"].scale == 0.5
    assert made.rules["backbone.embed.weight"].scale == 0.125
    assert made.rules["backbone.embed.weight"].start == 0.5


def test_bitfit_learns_biases_and_the_head(graft: Graft) -> None:
    names = learning(plan(graft, "bitfit"))
    assert all(name.endswith("bias") or name.startswith("head") for name in names)
    assert "backbone.layers.0.linear.bias" in names


def test_lora_starts_as_the_same_function_and_merges_into_it(graft: Graft) -> None:
    batch: Mapping[str, torch.Tensor] = {
        "values": torch.randn(2, 5),
        "attention_mask": torch.ones(2, 5, dtype=torch.int64),
    }
    graft.eval()
    before = graft(batch)["logits"]
    made = plan(graft, "lora", rank=2)
    assert torch.equal(graft.eval()(batch)["logits"], before)
    names = learning(made)
    assert all("lora_" in name or name.startswith("head") for name in names)
    with torch.no_grad():
        for name, parameter in graft.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    tuned = graft(batch)["logits"]
    assert not torch.allclose(tuned, before)
    merge_adapters(graft)
    assert not any("lora" in name or "base_layer" in name for name, _ in graft.named_parameters())
    assert torch.allclose(graft(batch)["logits"], tuned, atol=1e-6)


def test_lora_comes_first_and_combines(graft: Graft) -> None:
    with pytest.raises(RecipeError, match="must come first"):
        plan(graft, "layer-wise-decay", "lora")
    names = learning(plan(graft, "lora", "partial", blocks=1))
    assert any("layers.1" in name for name in names)
    assert not any("layers.0" in name for name in names)


def test_groups_spare_biases_and_norms_weight_decay(graft: Graft) -> None:
    groups = plan(graft, "layer-wise-decay").groups()
    seen = [name for group in groups for name in group.names]
    assert sorted(seen) == sorted(name for name, _ in graft.named_parameters())
    for group in groups:
        assert all((parameter.ndim >= 2) == group.decays for parameter in group.parameters)


def test_default_rate(graft: Graft) -> None:
    assert default_rate(plan(graft, "linear-probe"), scratch=False) == 2e-2
    for width, rate in ((384, 3e-3), (1536, 1.5e-3), (96, 6e-3), (10**6, 5e-4)):
        probed = Graft(SeriesNet(WIDTH, depth=1), LinearHead(width, 2, bias=True, dropout=0.0))
        assert default_rate(plan(probed, "linear-probe"), scratch=False) == pytest.approx(rate)
    assert default_rate(plan(graft, "lora"), scratch=False) == 1e-3
    graft = Graft(SeriesNet(WIDTH, depth=1), LinearHead(WIDTH, 2, bias=True, dropout=0.0))
    for width, pretrained, scratch in ((768, 5e-5, 1e-4), (64, 6e-4, 1.2e-3), (4096, 5e-5, 5e-5)):
        graft.backbone.width = width
        assert default_rate(plan(graft, "full"), scratch=False) == pytest.approx(pretrained)
        assert default_rate(plan(graft, "full"), scratch=True) == pytest.approx(scratch)


def test_features_are_what_the_head_expects(graft: Graft) -> None:
    features = graft.backbone({"values": torch.ones(1, 3), "attention_mask": torch.ones(1, 3)})
    assert isinstance(features, Features)
    assert features.pooled.shape == (1, WIDTH)


class Normed(torch.nn.Module):
    """Two blocks, each with a linear layer and batch statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)) for _ in range(2)
        )

    def forward(self, batch: Mapping[str, torch.Tensor]) -> Features:
        hidden = batch["x"]
        for block in self.blocks:
            hidden = block(hidden)
        return Features(pooled=hidden)


@pytest.mark.parametrize(
    ("names", "options"),
    [(("full",), {}), (("linear-probe",), {}), (("partial",), {"blocks": 1}), (("bitfit",), {})],
)
def test_what_rests_is_what_a_step_leaves_as_it_is(
    names: tuple[str, ...], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    graft = Graft(Normed(), LinearHead(4, 2, bias=True, dropout=0.0))
    made = plan(graft, *names, **options)
    graft.eval()
    unchanging = made.unchanging()
    assert not graft.training  # it was only asked
    before = {name: value.clone() for name, value in graft.state_dict().items()}
    made.activate(0.0)
    outputs = graft({"x": torch.randn(8, 4)})
    outputs["logits"].square().sum().backward()
    with torch.no_grad():
        for parameter in graft.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad + 0.01)
    moved = {
        name for name, value in graft.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == before.keys() - unchanging


class Doubled(SeriesNet):
    """A network whose last layer is a decoder's: a head calls it behind the features."""

    @property
    def blocks(self) -> list[nn.Module]:
        return list(super().blocks)[:-1]

    @property
    def later(self) -> list[nn.Module]:
        return list(super().blocks)[-1:]


def test_strategies_count_the_blocks_of_a_decoder_behind_the_others(graft: Graft) -> None:
    double = Graft(Doubled(WIDTH, depth=2), LinearHead(WIDTH, 2, bias=True, dropout=0.0))
    assert block_of(double) == block_of(graft)
    for names, options in (
        (("partial",), {"blocks": 1}),
        (("gradual-unfreezing",), {}),
        (("layer-wise-decay",), {"decay": 0.5}),
    ):
        assert plan(double, *names, **options).rules == plan(graft, *names, **options).rules


@pytest.mark.parametrize(("learning", "replayed"), [(2, 1), (1, 2), (0, 2)])
def test_a_decoders_blocks_are_never_replayed(learning: int, replayed: int) -> None:
    double = Graft(Doubled(WIDTH, depth=2), LinearHead(WIDTH, 2, bias=True, dropout=0.0))
    made = plan(double, "partial", blocks=learning)
    found = frozen_part(double, made.frozen(1.0), {"pooled"})
    assert isinstance(found, Prefix) and found.depth == replayed
    whole = plan(double, "linear-probe")
    assert isinstance(frozen_part(double, whole.frozen(1.0), {"pooled"}), Whole)
