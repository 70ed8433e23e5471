"""A linear layer alone on a frozen backbone learns the same whatever the scale of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import multigraft as mg
import multigraft_series
from multigraft.contracts.features import Batch
from multigraft.contracts.plan import Plan
from multigraft.data import plan_batches
from multigraft.engine import Engine
from multigraft.models.graft import Graft
from multigraft.models.strategies import linear_probe
from multigraft.models.tasks.classification import LinearHead
from multigraft.runs.run import Run
from multigraft.training.defaults import default_epochs, default_rate
from multigraft.training.learning_rate import rate_factor
from multigraft.training.standardization import Standard, lone_linear
from multigraft_series.network import SeriesNet

WIDTH, SHIFTED = 6, 3


class Statistics(nn.Module):
    """Six figures of a series, of the scale and with the shift that the test asks for."""

    width = WIDTH
    scale, shift = 1.0, 0.0
    head_bias = True

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(WIDTH, WIDTH)
        self.blocks = [self.block]
        # in the state, by which replay knows it
        self.register_buffer("by", torch.tensor(self.scale))
        self.register_buffer("added", self.shift * (torch.arange(WIDTH) == SHIFTED))
        with torch.no_grad():
            self.block.weight.copy_(torch.eye(WIDTH))
            self.block.bias.zero_()

    def forward(self, batch: Batch) -> mg.Features:
        values, mask = batch["values"], batch["attention_mask"].float()
        count, first = mask.sum(1), values[:, 0]
        last = values.gather(1, (count.long() - 1).unsqueeze(1)).squeeze(1)
        mean = (values * mask).sum(1) / count
        square = (values**2 * mask).sum(1) / count
        figures = torch.stack([mean, square, first, last, count, torch.zeros_like(mean)], 1)
        given = self.block(figures) * self.by + self.added
        return mg.Features(pooled=given)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        (folder / "nothing.txt").write_text("")


class Plugin:
    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        (tcn,) = multigraft_series.register_backbones()
        return [replace(tcn, name="figures", build=lambda origin, spec: Statistics())]


@pytest.fixture
def probe(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Train a linear probe on the figures, without dropout."""
    numbers = iter(range(99))

    def start(
        *,
        scale: float = 1.0,
        shift: float = 0.0,
        bias: bool = True,
        split: Any = None,
        **training: Any,
    ) -> Run:
        for name, value in (("scale", scale), ("shift", shift), ("head_bias", bias)):
            monkeypatch.setattr(Statistics, name, value)
        recipe = {
            "task": {"name": "series-classification", "dropout": 0.0},
            "backbone": "figures-tiny",
            "data": {"train": str(rows), **({"split": split} if split else {})},
            "strategy": "linear-probe",
            "training": {"precision": "fp32", "batch_size": 16, "solve": "off", **training},
            "output": str(tmp_path / f"run-{next(numbers)}"),
        }
        return Engine([multigraft_series, Plugin()], discover=False).start(recipe, "finetune")

    return start


def inputs(run: Run, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What the head reads of each row, and the labels."""
    rows = run.rows[split]
    arrays = [rows[index] for index in range(len(rows))]
    with torch.no_grad():
        pooled = [
            run.graft.backbone(
                {
                    name: torch.from_numpy(row[name].copy())[None]
                    for name in ("values", "attention_mask")
                }
            ).pooled
            for row in arrays
        ]
    return torch.cat(pooled), torch.tensor([int(row["label"]) for row in arrays])


def accuracy(run: Run) -> float:
    return run.evaluate().metrics["accuracy"].value


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (300.0, 0.0), (1.0, 50.0), (0.03, -3.0)])
def test_neither_scale_nor_shift_changes_what_is_learned(
    probe: Callable[..., Run], scale: float, shift: float
) -> None:
    """But for where the head begins, which training leaves behind."""
    logits = []
    for by, given in ((1.0, 0.0), (scale, shift)):
        run = probe(scale=by, shift=given, epochs=60, split={"validation": 0.0})
        read, labels = inputs(run, "train")
        logits.append(run.graft.head.linear(read).detach())
        assert ((logits[-1].argmax(1) == labels).float().mean()) > 0.85
    margins = [given[:, 1] - given[:, 0] for given in logits]
    assert torch.corrcoef(torch.stack(margins))[0, 1] > 0.995
    assert float(margins[1].std() / margins[0].std()) == pytest.approx(1, abs=0.05)


def test_it_is_the_training_on_standardised_features_by_hand(probe: Callable[..., Run]) -> None:
    settings = {"epochs": 2, "learning_rate": 0.02, "weight_decay": 0.1, "clip": 0.3}
    run = probe(scale=0.05, shift=2.0, split={"validation": 0.0}, **settings)
    read, labels = inputs(run, "train")
    mean, scale = read.mean(0), read.std(0, correction=0)
    scale = scale.clamp(min=0.01 * float(scale.mean()))
    torch.manual_seed(run.recipe.seed)
    Statistics()
    layer = LinearHead(WIDTH, 2, bias=True, dropout=0.0).linear
    groups = [
        {"params": [layer.weight], "weight_decay": 0.1},
        {"params": [layer.bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups)
    lengths = run.rows["train"].lengths
    planned = [
        plan_batches(lengths, size=16, seed=0, epoch=epoch, shuffle=True) for epoch in (0, 1)
    ]
    steps = [members for batches in planned for members in batches]
    standard = (read - mean) / scale
    for number, members in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * rate_factor(number, len(steps), run.recipe.training)
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(standard[members]), labels[members]).backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 0.3)
        optimizer.step()
    assert torch.allclose(run.graft.head.linear(read), layer(standard), atol=1e-4)


def test_replayed_and_recomputed_features_are_standardised_alike(probe: Callable[..., Run]) -> None:
    replayed, recomputed = probe(scale=0.03), probe(scale=0.03, replay="off")
    for name, tensor in replayed.graft.head.state_dict().items():
        assert torch.allclose(tensor, recomputed.graft.head.state_dict()[name], rtol=1e-4), name


@pytest.mark.parametrize(("shift", "wide"), [(100.0, True), (0.0, False)])
def test_features_that_bf16_would_blur_are_computed_in_fp32(
    probe: Callable[..., Run], shift: float, wide: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "multigraft")
    settings = {"shift": shift, "solve": "auto", "epochs": 3}
    plain, half = (probe(precision=name, **settings) for name in ("fp32", "bf16"))
    assert any("differ too little" in line for line in caplog.messages) is wide
    found, expected = (run.graft.head.state_dict() for run in (half, plain))
    alike = all(torch.equal(found[name], expected[name]) for name in found)
    assert alike is wide
    assert half.facts["precision"] == "bf16"


def test_a_head_without_a_bias_is_scaled_and_not_shifted(probe: Callable[..., Run]) -> None:
    run = probe(scale=1e-3, bias=False)
    assert run.graft.head.linear.bias is None
    assert accuracy(run) > 0.8


def test_a_feature_that_never_differs_keeps_a_finite_weight(probe: Callable[..., Run]) -> None:
    run = probe()
    read, _ = inputs(run, "train")
    assert float(read[:, -1].std()) == 0
    assert float(run.graft.head.linear.weight[:, -1].detach().abs().max()) < 10


def test_an_uneven_set_is_not_answered_with_its_majority(
    probe: Callable[..., Run], rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of four rows have one label, and the features are as small as a pretrained
    network's."""
    head, *lines = rows.read_text().splitlines()
    ups = [line for line in lines if line.endswith("up")]
    downs = [line for line in lines if line.endswith("down")]
    rows.write_text("\n".join([head, *ups, *downs[: len(ups) // 3]]) + "\n")
    run = probe(scale=0.01)
    test = run.rows["test"]
    counts = np.bincount([int(test[index]["label"]) for index in range(len(test))])
    assert accuracy(run) > counts.max() / counts.sum()


def test_the_coordinates_are_left_as_they_were_entered() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    mean, scale, given = torch.randn(4), torch.rand(4) + 0.1, torch.randn(5, 4)
    with Standard(layer, mean, scale, mean).taken():
        inside = layer((given - mean) / scale)
    assert torch.allclose(inside, layer(given), atol=1e-5)
    assert all(
        torch.allclose(before[name], value, atol=1e-6) for name, value in layer.state_dict().items()
    )


def test_only_a_layer_that_learns_alone_is_standardised() -> None:
    graft = Graft(SeriesNet(8, depth=2), LinearHead(8, 2, bias=True, dropout=0.0))
    probed = linear_probe(Plan.start(graft), {})
    assert lone_linear(probed) is graft.head.linear
    assert default_epochs(probed) == 10
    late = probed.change(lambda block, name, rule: replace(rule, learns=block == 2, start=0.5))
    for plan in (Plan.start(graft), late):
        assert lone_linear(plan) is None
        assert default_epochs(plan) == 3
    deep = Graft(SeriesNet(8, depth=2), nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)))
    plan = linear_probe(Plan.start(deep), {})
    assert lone_linear(plan) is None
    assert default_rate(plan, scratch=False) == 1e-3
