"""The loop against plain torch, and against itself under other batchings."""

from __future__ import annotations

import json
import math
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_series
from multigraft.data import Epoch, iterate, plan_batches
from multigraft.engine import Engine
from multigraft.errors import RunError
from multigraft.runs.metrics_log import MetricsLog
from multigraft.runs.run import Run
from multigraft.system.compute.precision import choose_precision
from multigraft.training.checkpoint import Checkpoints
from multigraft.training.learning_rate import rate_factor
from multigraft.training.loop import Fit

Finetune = Callable[..., Run]


def training(**fields: Any) -> dict[str, Any]:
    return {
        "training": {
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 0.01,
            "precision": "fp32",
            **fields,
        }
    }


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.graft.state_dict().items()}


def same(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], **close: float
) -> bool:
    if close:
        return all(torch.allclose(first[name], second[name], **close) for name in first)
    return all(torch.equal(first[name], second[name]) for name in first)


class Built(Exception):
    pass


@pytest.fixture
def untrained(rows: Any, tmp_path: Any) -> Callable[..., Run]:
    """A complete run whose training was answered before it began."""

    class Stop:
        @mg.hookimpl
        def finetune(self, run: Run) -> mg.Report:
            return mg.Report(verb="finetune", title="not trained")

    def build(**fields: Any) -> Run:
        engine = Engine([multigraft_series, Stop()], discover=False)
        recipe = {
            "task": {"name": "series-classification", "dropout": 0.0},
            "backbone": "tcn-tiny",
            "data": str(rows),
            "output": str(tmp_path / "untrained"),
        }
        return engine.start({**recipe, **fields}, "finetune")

    return build


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_one_epoch_is_the_hand_written_loop(untrained: Callable[..., Run], optimizer: str) -> None:
    run = untrained(**training(epochs=1, clip=0.5, weight_decay=0.1, optimizer=optimizer))
    for module in run.graft.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    ours = Fit(run)
    import copy

    theirs = copy.deepcopy(run.graft)
    decayed = [p for p in theirs.parameters() if p.ndim >= 2]
    spared = [p for p in theirs.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.0}]
    by_hand = (
        torch.optim.AdamW(groups, lr=0.01)
        if optimizer == "adamw"
        else torch.optim.SGD(groups, lr=0.01, momentum=run.recipe.training.momentum)
    )
    batches = plan_batches(run.rows["train"].lengths, size=16, seed=0, epoch=0, shuffle=True)
    loaded = iterate(
        run.rows["train"],
        batches,
        Epoch(seed=0, train=True),
    )
    theirs.train()
    for step, (_, batch) in enumerate(loaded):
        for group in by_hand.param_groups:
            group["lr"] = 0.01 * rate_factor(step, len(batches), run.recipe.training)
        by_hand.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(batch)["logits"], batch["label"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        by_hand.step()
    run.rows = {"train": run.rows["train"]}  # no validation, so the last weights are the best
    ours.fit()
    assert same(weights(run), theirs.state_dict(), atol=1e-6)


def test_accumulated_batches_equal_one_batch(untrained: Callable[..., Run], tmp_path: Any) -> None:
    """Also where class weights differ from batch to batch, so that a mean of means would be
    wrong."""
    ends = []
    for index, fields in enumerate(({"batch_size": 16}, {"batch_size": 4, "accumulation": 4})):
        run = untrained(
            **training(**fields),
            task={"name": "series-classification", "dropout": 0.0, "class_weights": "balanced"},
            output=str(tmp_path / f"run-{index}"),
        )
        for module in run.graft.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        fit = Fit(run)
        order = torch.arange(32)
        size = run.recipe.training.batch_size
        batches = iterate(
            run.rows["train"],
            order.numpy().reshape(-1, size)[: 16 // size],
            Epoch(seed=0, train=True),
        )
        fit._step(list(batches))
        ends.append(weights(run))
    assert same(ends[0], ends[1], atol=1e-6)


def test_frozen_weights_do_not_move(untrained: Callable[..., Run]) -> None:
    run = untrained(**training(), strategy="linear-probe")
    before = weights(run)
    run.rows = {"train": run.rows["train"]}
    Fit(run).fit()
    after = weights(run)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.linear.weight", "head.linear.bias"}


@pytest.mark.parametrize("strategy", ["full", "linear-probe"])
def test_without_an_epoch_the_weights_stay_as_they_are(
    untrained: Callable[..., Run], finetune: Finetune, strategy: str
) -> None:
    run = untrained(**training(epochs=0, ema=0.9), strategy=strategy)
    before = weights(run)
    assert Fit(run).fit().step == 0
    assert same(before, weights(run))
    whole = finetune(**training(epochs=0), strategy=strategy)
    assert whole.report is not None and "as they were" in whole.report.notes[0]
    assert same(weights(mg.open_run(whole.folder, plugins=[multigraft_series])), weights(whole))
    assert math.isfinite(whole.evaluate().metrics["loss"].value)


def test_gradual_unfreezing_moves_blocks_in_turn(untrained: Callable[..., Run]) -> None:
    run = untrained(**training(epochs=4), strategy={"name": "gradual-unfreezing", "until": 0.75})
    before = weights(run)
    moved_at: dict[str, int] = {}

    class Watch:
        @mg.hookimpl
        def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
            for name, value in run.graft.state_dict().items():
                if name not in moved_at and not torch.equal(value, before[name]):
                    moved_at[name] = step

    run.catalog.admit(Watch())
    run.rows = {"train": run.rows["train"]}
    fit = Fit(run)
    fit.fit()
    total = fit.total_steps
    for name, rule in run.plan.rules.items():
        if name == "backbone.hidden":  # only pretraining uses it
            continue
        assert moved_at[name] == math.ceil(rule.start * total) + 1, name


def test_learning_works_and_is_logged(finetune: Finetune) -> None:
    run = finetune(**training(epochs=12, learning_rate=0.02))
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]
    assert run.evaluate().metrics["accuracy"].value > 0.7
    assert {"step", "epoch", "padding", "validation"} == set(
        next(line for line in lines if "epoch" in line)
    )


def test_same_seed_same_bits_other_seed_other_bits(
    untrained: Callable[..., Run], tmp_path: Any
) -> None:
    ends = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = untrained(**training(), seed=seed, output=str(tmp_path / name))
        Fit(run).fit()
        ends.append(weights(run))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_workers_change_no_bit(untrained: Callable[..., Run], tmp_path: Any) -> None:
    ends = []
    for workers in (0, 2):
        run = untrained(**training(workers=workers), output=str(tmp_path / str(workers)))
        Fit(run).fit()
        ends.append(weights(run))
    assert same(ends[0], ends[1])


def test_a_worker_that_is_killed_changes_no_bit_and_is_not_replaced(
    untrained: Callable[..., Run], tmp_path: Any, monkeypatch: Any, caplog: Any
) -> None:
    """Nor does a temporary folder that vanished."""
    ends = []
    for killed in (False, True):
        run = untrained(**training(workers=2), output=str(tmp_path / str(killed)))
        if killed:
            parent, view = os.getpid(), run.objective.prepare

            def prepare(batch: Any, rng: Any, view: Any = view, parent: int = parent) -> Any:
                if os.getpid() != parent and 7 in batch["label"] + 7:
                    os.kill(os.getpid(), signal.SIGKILL)
                return view(batch, rng)

            monkeypatch.setattr(run.objective, "prepare", prepare)
            monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "vanished"))
        Fit(run).fit()
        ends.append(weights(run))
    assert same(ends[0], ends[1])
    assert caplog.text.count("was ended by SIGKILL") == 1  # in the first of two epochs


def test_a_loss_that_is_no_number_stops_the_run(finetune: Finetune) -> None:
    with pytest.raises(
        RunError, match=r"the loss is nan at step \d+; lower training.learning_rate"
    ):
        finetune(**training(learning_rate=1e30, clip=0, optimizer="sgd", momentum=0.0, epochs=20))


def test_sgd_with_momentum_learns(finetune: Finetune) -> None:
    run = finetune(**training(optimizer="sgd", learning_rate=0.1, schedule="cosine", epochs=8))
    assert run.evaluate().metrics["accuracy"].value > 0.6


def test_bf16_is_close_to_fp32(untrained: Callable[..., Run], tmp_path: Any) -> None:
    ends = []
    for precision in ("fp32", "bf16"):
        run = untrained(**training(precision=precision), output=str(tmp_path / precision))
        Fit(run).fit()
        ends.append(weights(run))
    assert not same(ends[0], ends[1])
    assert same(ends[0], ends[1], atol=0.05)


def best_steps(run: Run, values: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch) -> int:
    """The step that is kept, where validations give these metrics one after another."""
    given = iter(values)
    monkeypatch.setattr("multigraft.training.loop.validate", lambda *_: next(given))
    fit = Fit(run)
    fit.fit()
    return fit.progress.best_step * len(values) // fit.total_steps


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([{"accuracy": 1.0, "loss": loss} for loss in (0.5, 0.2, 0.3)], 2),
        ([{"accuracy": 1.0, "loss": loss} for loss in (0.5, 0.5, 0.5)], 1),
        (
            [
                {"accuracy": 0.9, "loss": 0.1},
                {"accuracy": 1.0, "loss": 0.9},
                {"accuracy": 1.0, "loss": 0.8},
            ],
            3,
        ),
        ([{"accuracy": 1.0}, {"accuracy": 1.0}, {"accuracy": 0.5}], 1),
        (
            [
                {"accuracy": math.nan, "loss": 0.1},
                {"accuracy": 0.5, "loss": 0.3},
                {"accuracy": math.nan},
            ],
            2,
        ),
        (
            [
                {"accuracy": 1.0, "loss": math.nan},
                {"accuracy": 1.0, "loss": 0.3},
                {"accuracy": 0.9},
            ],
            2,
        ),
    ],
)
def test_of_equally_good_epochs_the_one_with_the_lowest_loss_is_kept(
    untrained: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    values: list[dict[str, float]],
    best: int,
) -> None:
    run = untrained(**training(epochs=3))
    assert best_steps(run, values, monkeypatch) == best


@pytest.mark.parametrize(("begun", "here"), [("bf16", False), ("fp32", True)])
def test_a_resumed_run_keeps_the_precision_that_it_began_in(
    rows: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    begun: str,
    here: bool,
) -> None:
    """``auto`` was decided by the processor; another one goes on in the same numbers."""
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        **training(checkpoint_every=3, precision="auto"),
    }
    monkeypatch.setattr("multigraft.system.compute.precision.native_bf16", lambda: begun == "bf16")
    engine = Engine([multigraft_series], discover=False)
    calm = engine.start({**recipe, "output": str(tmp_path / "calm")}, "finetune")
    assert calm.facts["precision"] == begun
    folder = tmp_path / "broken"
    with pytest.raises(Breaks):
        Engine([multigraft_series, BreakAt(5)], discover=False).start(
            {**recipe, "output": str(folder)}, "finetune"
        )
    assert json.loads((folder / "run.json").read_text())["precision"] == begun
    monkeypatch.setattr("multigraft.system.compute.precision.native_bf16", lambda: here)
    with caplog.at_level("INFO", logger="multigraft"):
        again = engine.resume(folder)
    assert f"began in {begun} and goes on in it" in caplog.text
    assert same(weights(calm), weights(again))
    assert engine.rerun(folder, tmp_path / "rerun").equal


def test_where_bf16_cannot_be_computed_the_resumed_run_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device: False)
    monkeypatch.setattr("multigraft.system.compute.precision.native_bf16", lambda: False)
    assert choose_precision("auto", torch.device("cpu"), begun="bf16").name == "fp32"
    assert "began in bf16, which cannot be computed on cpu: it goes on in fp32" in caplog.text
    assert choose_precision("bf16", torch.device("cpu"), begun="fp32").name == "bf16"


def test_lines_after_a_checkpoint_are_dropped(tmp_path: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    MetricsLog(path, writes=True).keep(2, 0)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_the_line_of_a_validation_that_is_still_owed_is_dropped(tmp_path: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    kept = '{"step": 1, "epoch": 1}\n{"step": 2}\n'
    path.write_text(kept + '{"step": 2, "epoch": 2}\n')
    MetricsLog(path, writes=True).keep(2, 1)
    assert path.read_text() == kept


def test_lines_are_on_the_disk_before_the_checkpoint_that_counts_on_them(
    untrained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a power cut takes no line that the resumed run would not write again."""
    run, save, done = (
        untrained(**training(checkpoint_every=2, log_every=1)),
        Checkpoints.save,
        list[int](),
    )
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Checkpoints, "save", lambda *args: (done.append(0), save(*args))[1])
    Fit(run).fit()
    saves = [place for place, what in enumerate(done) if what == 0]
    journal = run.metrics_file.stat().st_ino
    assert len(saves) > 1
    assert {done[place - 1] for place in saves} == {journal}


class Breaks(BaseException):
    """Not an Exception: an observer that raises one is only switched off."""


class BreakAt:
    """Ends a training from inside, as a crash would."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, run: Run, step: int) -> None:
        if step == self.step:
            raise Breaks


@pytest.mark.parametrize("at", [2, 7, 11])
@pytest.mark.parametrize(
    "fields",
    [
        {"batch_budget": 40.0, "accumulation": 2},
        {"batch_size": 8, "epochs": 2.5},
        {"batch_size": 8, "gradient_checkpointing": True},
        {"batch_size": 8, "optimizer": "sgd"},
    ],
)
def test_broken_off_anywhere_it_ends_with_the_same_bits(
    rows: Any, tmp_path: Any, fields: dict[str, Any], at: int
) -> None:
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        **training(checkpoint_every=3, log_every=1, **fields),
    }
    calm = Engine([multigraft_series], discover=False).start(
        {**recipe, "output": str(tmp_path / "calm")}, "finetune"
    )
    assert calm.total_steps > at
    folder = tmp_path / "broken"
    with pytest.raises(Breaks):
        Engine([multigraft_series, BreakAt(at)], discover=False).start(
            {**recipe, "output": str(folder)}, "finetune"
        )
    again = Engine([multigraft_series], discover=False).resume(folder)
    assert same(weights(calm), weights(again))
    assert calm.metrics_file.read_text() == again.metrics_file.read_text()


def test_gradient_checkpointing_changes_no_bit(finetune: Finetune, tmp_path: Any) -> None:
    plain, saving = (
        finetune(**training(gradient_checkpointing=on), output=str(tmp_path / str(on)))
        for on in (False, True)
    )
    assert same(weights(plain), weights(saving))


def test_budget_and_accumulation_train_every_row_once_an_epoch(finetune: Finetune) -> None:
    run = finetune(**training(batch_budget=160.0, accumulation=3, epochs=2))
    assert run.report is not None
    assert run.report.cost is not None
    assert run.report.cost.rows_per_second is not None
    seen = run.report.cost.rows_per_second * run.report.cost.seconds
    assert round(seen) == 2 * len(run.rows["train"])
