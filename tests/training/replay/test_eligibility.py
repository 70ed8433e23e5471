"""When a frozen part is replayed, when it is not, and that nobody can tell the difference."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.runs.run import Run
from multigraft.system import cache
from multigraft.training.replay import archive
from multigraft_series.network import SeriesNet

TRAINING = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"}


COUNTS: Counter[nn.Module] = Counter()


class Counted(nn.Linear):
    """A first block whose rows are counted; not in itself, since a state of its own would not be
    replayed."""

    @property
    def rows(self) -> int:
        return COUNTS[self]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        COUNTS[self] += len(values)
        return super().forward(values)


class Odd(SeriesNet):
    """A network with one oddity at a time."""

    oddity = ""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__(width, depth)
        self.drop = nn.Dropout(0.5)
        self.embed = Counted(1, width)

    def forward(self, batch: dict[str, torch.Tensor]) -> mg.Features:
        mask = batch["attention_mask"].bool()
        real = mask.unsqueeze(-1).float()
        first = self.embed(batch["values"].unsqueeze(-1))
        hidden = nn.functional.dropout(first, 0.5) if self.oddity == "functional dropout" else first
        if self.oddity == "in place":
            hidden.add_(1)
        for layer in self.layers:
            hidden = layer(hidden, real)
            if self.oddity == "twice":
                hidden = layer(hidden, real)
            if self.oddity == "in place":
                hidden.mul_(2)
        if self.oddity == "skip":
            hidden = hidden + first
        hidden = self.last_norm(hidden)
        return mg.Features(pooled=(hidden * real).sum(1) / real.sum(1), sequence=hidden, mask=mask)


def build(origin: mg.Origin, spec: dict[str, Any]) -> Odd:
    return Odd(8, 3)


class Plugin:
    """The template's backbone, replaced by the odd one."""

    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        (tcn,) = multigraft_series.register_backbones()
        return [replace(tcn, name="odd", build=build)]


@pytest.fixture
def start(rows: Path, tmp_path: Path) -> Callable[..., Run]:
    """Train the odd network with its last block learning."""
    count = iter(range(99))

    def start(oddity: str = "", **fields: Any) -> Run:
        Odd.oddity = oddity
        recipe = {
            "task": "series-classification",
            "backbone": "odd-tiny",
            "data": str(rows),
            "strategy": {"name": "partial", "blocks": 1},
            "training": {**TRAINING, **fields.pop("training", {})},
            "output": str(tmp_path / f"run-{next(count)}"),
            **fields,
        }
        return Engine([multigraft_series, Plugin()], discover=False).start(recipe, "finetune")

    return start


def same(one: Run, other: Run) -> bool:
    ours, theirs = one.graft.state_dict(), other.graft.state_dict()
    return all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)


@pytest.mark.parametrize(
    ("oddity", "fields", "reason"),
    [
        ("functional dropout", {}, "acts in front of the first block that learns"),
        ("skip", {}, "needs more than the output of its last block"),
        ("twice", {}, "called more than once"),
    ],
)
def test_what_cannot_be_replayed_is_recomputed_and_said(
    start: Callable[..., Run],
    caplog: pytest.LogCaptureFixture,
    oddity: str,
    fields: Any,
    reason: str,
) -> None:
    with caplog.at_level("INFO", logger="multigraft"):
        tried = start(oddity, **fields)
    lines = [line for line in caplog.messages if "frozen part is computed in every epoch" in line]
    assert len(lines) == 1
    assert reason in lines[0]
    assert same(tried, start(oddity, training={"replay": "off"}, **fields))


@pytest.mark.parametrize("oddity", ["", "in place"])
@pytest.mark.parametrize(
    "strategy",
    [
        "linear-probe",
        {"name": "partial", "blocks": 2},
        {"name": "gradual-unfreezing", "until": 0.9},
    ],
)
def test_replayed_training_equals_recomputed(
    start: Callable[..., Run], caplog: pytest.LogCaptureFixture, oddity: str, strategy: Any
) -> None:
    training = {"epochs": 12 if "gradual" in str(strategy) else 3, "solve": "off"}
    with caplog.at_level("INFO", logger="multigraft"):
        replayed = start(oddity, strategy=strategy, training=training)
    assert any("replaying" in line for line in caplog.messages)
    recomputed = start(oddity, strategy=strategy, training={**training, "replay": "off"})
    assert same(replayed, recomputed)
    assert replayed.graft.backbone.embed.rows < recomputed.graft.backbone.embed.rows


def test_gradual_unfreezing_replays_in_each_frozen_phase(
    start: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="multigraft"):
        start(strategy={"name": "gradual-unfreezing", "until": 0.9}, training={"epochs": 12})
    parts = [line.split()[1] for line in caplog.messages if line.startswith("replaying")]
    assert (
        parts == ["features:pooled", "blocks:4", "blocks:3", "blocks:2", "blocks:1"][: len(parts)]
    )
    assert len(parts) >= 4


def test_a_short_training_does_not_store(start: Callable[..., Run], cache_folder: Path) -> None:
    start(training={"epochs": 1})
    assert not cache.entries(archive.KIND)
    start(training={"epochs": 1, "replay": "on"})
    assert cache.entries(archive.KIND)


def test_later_runs_and_evaluation_find_what_was_computed(start: Callable[..., Run]) -> None:
    first = start(strategy="linear-probe", seed=0)
    before = cache.entries(archive.KIND)
    again = start(
        strategy="linear-probe", seed=0, task={"name": "series-classification", "dropout": 0.5}
    )
    assert cache.entries(archive.KIND) == before
    trying = again.graft.backbone.embed.rows
    assert trying < len(first.rows["train"]) < first.graft.backbone.embed.rows
    before_first = first.graft.backbone.embed.rows
    report = first.evaluate()
    before_second = first.graft.backbone.embed.rows
    first.evaluate()
    after = first.graft.backbone.embed.rows
    assert (before_second - before_first) - (after - before_second) >= len(first.rows["test"])
    first.record(frozen=0)
    assert first.evaluate().metrics["accuracy"].value == report.metrics["accuracy"].value


def test_other_weights_are_computed_anew(start: Callable[..., Run]) -> None:
    start(strategy="linear-probe", seed=0)
    before = set(cache.entries(archive.KIND))
    start(strategy="linear-probe", seed=1)
    assert set(cache.entries(archive.KIND)) > before


def test_without_room_training_goes_on(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(cache.LIMIT, "0")
    with caplog.at_level("INFO", logger="multigraft"):
        run = start()
    assert any("has no room for them" in line for line in caplog.messages)
    assert same(run, start(training={"replay": "off"}))


def test_augmentation_and_changing_tasks_are_not_replayed(
    start: Callable[..., Run], caplog: pytest.LogCaptureFixture, rows: Path, tmp_path: Path
) -> None:
    engine = Engine([multigraft_series, Plugin()], discover=False)
    recipe = {
        "task": "series-denoising",
        "backbone": "odd-tiny",
        "data": str(rows),
        "strategy": "linear-probe",
        "training": TRAINING,
        "output": str(tmp_path / "denoising"),
    }
    with caplog.at_level("INFO", logger="multigraft"):
        engine.start(recipe, "pretrain")
    assert any("the task changes the inputs at every step" in line for line in caplog.messages)


def test_a_linear_probe_reads_only_its_labels(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.data import Rows

    asked: list[Any] = []
    fetch = Rows.fetch

    def spy(self: Rows, index: int, names: Any) -> Any:
        asked.append(names)
        return fetch(self, index, names)

    monkeypatch.setattr(Rows, "fetch", spy)
    run = start(strategy="linear-probe")
    steps = run.total_steps * 16
    assert asked.count(frozenset({"label"})) >= steps - 16


def test_batch_statistics_and_chance_are_left_as_they_were() -> None:
    from multigraft.training.replay import untouched

    norm = nn.BatchNorm1d(3)
    before, state = norm.running_mean.clone(), torch.random.get_rng_state()
    with untouched(norm):
        norm(torch.randn(8, 3))
        assert not torch.equal(norm.running_mean, before)
    assert torch.equal(norm.running_mean, before)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_batch_statistics_are_put_back_also_where_a_signal_comes_meanwhile() -> None:
    from multigraft.training.replay import untouched

    norm = nn.BatchNorm1d(3)
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    copies = count()

    class Asked(torch.Tensor):
        """A buffer in whose restoring the first signal comes."""

        def copy_(self, *args: Any, **kwargs: Any) -> Any:
            if next(copies) == 0:
                raise KeyboardInterrupt
            return super().copy_(*args, **kwargs)

    norm.register_buffer("running_var", norm.running_var.as_subclass(Asked))
    with pytest.raises(KeyboardInterrupt), untouched(norm):
        norm(torch.randn(8, 3))
    assert next(copies) > 1
    assert all(torch.equal(buffer, before[name]) for name, buffer in norm.named_buffers())


def test_metrics_say_how_much_is_padding_and_the_report_how_long_it_waited(
    start: Callable[..., Run],
) -> None:
    run = start()
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    shares = [line["padding"] for line in lines if "epoch" in line]
    assert len(shares) == 3
    assert all(0 <= share < 0.5 for share in shares)
    assert run.report is not None
    assert run.report.cost is not None
    assert run.report.cost.waited is not None
    assert 0 <= run.report.cost.waited < 1
    assert run.report.cost.rows_per_second == pytest.approx(
        3 * len(run.rows["train"]) / run.report.cost.seconds
    )
