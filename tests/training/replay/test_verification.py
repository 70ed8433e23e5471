"""Replay is refused wherever it could be wrong, in fp32 and bf16, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import multigraft as mg
import multigraft_series
from helpers import odd_networks
from helpers.odd_networks import ACCEPTED, FROZEN, GLOBAL, REFUSED, head_of
from multigraft.contracts.features import Batch
from multigraft.engine import Engine
from multigraft.models.tasks.classification import LinearHead
from multigraft.recipe.resolve import read_recipe
from multigraft.runs.assembly import assemble
from multigraft.runs.run import Run
from multigraft.system.compute.precision import Precision
from multigraft.training.forward import replay_setting
from multigraft.training.gradient_checkpointing import gradient_checkpointing
from multigraft.training.replay import Player, UnfitError, open_player

Grown = Callable[..., Run]


class Plugin:
    """The template's backbone, replaced by an odd one."""

    def __init__(self, kind: Callable[[], Any]) -> None:
        self.kind = kind

    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        (tcn,) = multigraft_series.register_backbones()
        return [replace(tcn, name="odd", build=lambda origin, spec: self.kind())]


@pytest.fixture
def recipe(rows: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "task": "series-classification",
        "backbone": "odd-tiny",
        "data": {
            "train": str(rows),
            "split": {"validation": 0.1, "test": 0.1},
            "leakage": {"near": False},
        },
        "strategy": {"name": "partial", "blocks": 1},
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"},
        "output": str(tmp_path / "run"),
    }


@pytest.fixture
def grown(recipe: dict[str, Any]) -> Grown:
    """A run with an odd network, as at the first step."""

    def grow(kind: Callable[[], Any], head: type[LinearHead] = LinearHead) -> Run:
        GLOBAL.clear()
        engine = Engine([multigraft_series, Plugin(kind)], discover=False)
        read = read_recipe(recipe, engine.catalog)
        run = assemble(read, engine.catalog, Path(read.recipe.output), dispatch=engine.call)  # type: ignore[arg-type]
        if head is not LinearHead:
            run.graft.head = head_of(head, run.graft.backbone)  # type: ignore[arg-type]
        run.plan.activate(0.0)
        return run

    return grow


def opened(run: Run, precision: str) -> Player | None:
    setting = replay_setting(run, precision=Precision(precision))  # type: ignore[arg-type]
    return open_player(setting, FROZEN, run.rows["train"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_replay_could_get_wrong_is_refused(grown: Grown, name: str, precision: str) -> None:
    with pytest.raises(UnfitError) as refused:
        opened(grown(*REFUSED[name]), precision)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("precision", "threads"), [("fp32", 1), ("bf16", 1), ("bf16", 2)])
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_only_looks_odd_is_replayed(
    grown: Grown, name: str, precision: str, threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert opened(grown(*ACCEPTED[name]), precision) is not None
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def trained(recipe: dict[str, Any], tmp_path: Path) -> Grown:
    """A run with an odd network that was trained."""
    numbers = count()

    def train(kind: Callable[[], Any], **training: Any) -> Run:
        fields = {**recipe, "output": str(tmp_path / f"run-{next(numbers)}")}
        fields["training"] = {**recipe["training"], **training}
        return Engine([multigraft_series, Plugin(kind)], discover=False).start(fields, "finetune")

    return train


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if "frozen part is computed in every epoch" in line]


def same(one: Run, other: Run) -> bool:
    ours, theirs = one.graft.state_dict(), other.graft.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_skip_around_frozen_blocks_trains_and_scores_as_recomputed(
    trained: Grown, caplog: pytest.LogCaptureFixture, precision: str
) -> None:
    with caplog.at_level("INFO", logger="multigraft"):
        tried = trained(odd_networks.SkipFromTheFirst, precision=precision)
    assert len(said(caplog)) == 1
    plain = trained(odd_networks.SkipFromTheFirst, precision=precision, replay="off")
    assert same(tried, plain)
    assert tried.evaluate().metrics == plain.evaluate().metrics


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_plain_network_is_replayed_and_scores_as_recomputed(
    trained: Grown, caplog: pytest.LogCaptureFixture, precision: str
) -> None:
    with caplog.at_level("INFO", logger="multigraft"):
        tried = trained(odd_networks.Net, precision=precision)
    assert not said(caplog)
    plain = trained(odd_networks.Net, precision=precision, replay="off")
    bound = 1e-5 if precision == "fp32" else 0.02
    ours, theirs = tried.graft.state_dict(), plain.graft.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=bound) for name in ours)


class Fragile(odd_networks.Net):
    """Computes the batches of a training, and fails for fewer rows or always."""

    error: type[Exception]
    fewer = 4

    def forward(self, batch: Batch) -> mg.Features:
        if len(batch["values"]) < self.fewer:
            raise self.error("not so few\nrows")
        return super().forward(batch)


ERRORS = [
    *(
        ValueError,
        IndexError,
        TypeError,
        KeyError,
        AttributeError,
        AssertionError,
        NotImplementedError,
    ),
    *(
        ZeroDivisionError,
        MemoryError,
        RecursionError,
        RuntimeError,
        torch.OutOfMemoryError,
        mg.MultigraftError,
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_whatever_trying_raises_training_recomputes_and_says_why(
    trained: Grown, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    Fragile.error, Fragile.fewer = error, 4
    with caplog.at_level("INFO", logger="multigraft"):
        tried = trained(Fragile)
    (line,) = said(caplog)
    assert f"trying it raised {error.__name__}" in line
    assert "\n" not in line
    assert same(tried, trained(Fragile, replay="off"))


@pytest.mark.parametrize("error", [TypeError, IndexError, mg.MultigraftError])
def test_what_recomputing_raises_too_is_raised(trained: Grown, error: type[Exception]) -> None:
    Fragile.error, Fragile.fewer = error, 1000
    with pytest.raises(error, match="not so few"):
        trained(Fragile)


class Scaled(odd_networks.Net):
    """Has a number in its frozen part that is no weight."""

    scales: ClassVar[tuple[float, ...]] = (1.0,)

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.scales[0]

    def between(self, number: int, hidden: torch.Tensor, given: list[torch.Tensor]) -> torch.Tensor:
        return hidden * self.scale if number == 0 else hidden


class ScaledInside(odd_networks.Net):
    """The number is where nobody looks for it."""

    def between(self, number: int, hidden: torch.Tensor, given: list[torch.Tensor]) -> torch.Tensor:
        return hidden * Scaled.scales[0] if number == 0 else hidden


@pytest.mark.parametrize("kind", [Scaled, ScaledInside])
def test_equal_weights_in_another_network_are_not_taken_for_it(
    trained: Grown, monkeypatch: pytest.MonkeyPatch, kind: type[odd_networks.Net]
) -> None:
    trained(kind)
    monkeypatch.setattr(Scaled, "scales", (3.0,))
    ours = trained(kind).graft.state_dict()
    theirs = trained(kind, replay="off").graft.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_gradient_checkpointing_is_back_after_a_replayed_pass(grown: Grown) -> None:
    run = grown(odd_networks.Net)
    with gradient_checkpointing(run.graft):
        before = [block.forward for block in run.graft.backbone.blocks]  # type: ignore[union-attr]
        assert opened(run, "fp32") is not None
        assert [block.forward for block in run.graft.backbone.blocks] == before  # type: ignore[union-attr]
