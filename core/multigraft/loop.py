"""The one training loop: fit -> epoch -> step. Everything random in it follows from (seed, step)."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from multigraft import checkpoint
from multigraft.checkpoint import Progress
from multigraft.data import iterate, plan_batches
from multigraft.device import choose_precision
from multigraft.errors import RunError
from multigraft.evaluation import measure_split
from multigraft.features import Batch
from multigraft.schedule import rate_factor
from multigraft.strategies import default_rate

if TYPE_CHECKING:
    from multigraft.run import Run

log = logging.getLogger("multigraft")


class Fit:
    """One training of one run; what it must remember is in ``progress`` and in its checkpoints."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.training = run.recipe.training
        self.accelerator = _accelerator(choose_precision(self.training.precision))
        self.device = self.accelerator.device
        run.graft.to(self.device)
        self.groups = run.plan.groups()
        self.names = [name for group in self.groups for name in group.names]
        self.rate = self.training.learning_rate or default_rate(run.plan, scratch=run.parts.origin.scratch)
        self.optimizer = self._optimizer()
        # one process needs no wrapper; preparing would replace the graft's forward for good
        self.model = self.accelerator.prepare(run.graft) if self.accelerator.use_distributed else run.graft
        self.steps_per_epoch, self.total_steps = step_counts(run)
        run.total_steps = self.total_steps
        self.checkpoints = run.folder / "checkpoints"
        self.progress = Progress()
        self._starts = run.plan.starts()
        self._thawed = -1.0

    def fit(self) -> Progress:
        """Train from the newest checkpoint, or from the start, to the end or to a stop."""
        self._resume()
        log.info(
            "training %s of %s parameters for %d steps at rate %.3g in %s",
            f"{self.run.plan.learning():,}",
            f"{sum(p.numel() for p in self.run.graft.parameters()):,}",
            self.total_steps,
            self.rate,
            "bf16" if self.accelerator.mixed_precision == "bf16" else "fp32",
        )
        while self.progress.step < self.total_steps and self.progress.stop is None:
            self._epoch(self.progress.step // self.steps_per_epoch)
        checkpoint.load_best(self.checkpoints, self.run.graft)
        return self.progress

    def _epoch(self, epoch: int) -> None:
        done = self.progress.step % self.steps_per_epoch
        started = time.perf_counter()
        for batches in self._steps(epoch, skip=done):
            self._step(batches)
            ended = self.progress.step % self.steps_per_epoch == 0
            if ended or self._finished():
                self._end_epoch(epoch)
            if ended or self._finished() or self._due():
                self.progress.seconds += time.perf_counter() - started
                started = time.perf_counter()
                self._save()
            if self._finished():
                return

    def _steps(self, epoch: int, *, skip: int) -> Iterator[Sequence[Batch]]:
        """The batches of each remaining step of an epoch, on the device."""
        run, size = self.run, self.training.accumulation
        rows = run.rows["train"]
        batches = plan_batches(
            rows.lengths, size=self.training.batch_size, seed=run.recipe.seed, epoch=epoch, shuffle=True
        )
        loaded = iterate(
            rows,
            batches,
            objective=run.objective,
            reader=run.reader,
            augment=run.augment,
            seed=run.recipe.seed,
            epoch=epoch,
            train=True,
            workers=self.training.workers,
            start=skip * size,
        )
        moved = (self._to_device(batch) for _, batch in loaded)
        while step := list(islice(moved, size)):
            yield step

    def _step(self, batches: Sequence[Batch]) -> None:
        """One optimizer step over the batches that make it."""
        step, progress = self.progress.step, self.progress
        torch.manual_seed(_mix(self.run.recipe.seed, step))  # dropout, and what else draws inside forward
        self._thaw(step / self.total_steps)
        factor = rate_factor(step, self.total_steps, self.training)
        for group, settings in zip(self.groups, self.optimizer.param_groups, strict=True):
            settings["lr"] = self.rate * factor * group.rule.scale
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(batches)
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {step + 1}; lower training.learning_rate (now {self.rate:g}) "
                "or raise training.warmup, and start again"
            )
        if self.training.clip:
            self.accelerator.clip_grad_norm_(self.run.graft.parameters(), self.training.clip)
        self.optimizer.step()
        progress.step += 1
        progress.loss_sum += loss
        progress.loss_count += 1
        self._after_step(loss, self.rate * factor)

    def _backward(self, batches: Sequence[Batch]) -> float:
        """Gradients of the loss over all rows of the step, whatever batches they came in."""
        total, weight = 0.0, 0.0
        for batch in batches:
            with self.accelerator.autocast():
                loss = self.run.objective.loss(self.model(batch), batch)
            summed = loss.total.sum()
            self.accelerator.backward(loss.mean() if len(batches) == 1 else summed)
            total, weight = total + float(summed.detach()), weight + float(loss.weight.sum())
        weight = max(weight, 1e-12)
        if len(batches) > 1:
            gradients = [p.grad for p in self.run.graft.parameters() if p.grad is not None]
            torch._foreach_div_(gradients, weight)
        return total / weight

    def _after_step(self, loss: float, rate: float) -> None:
        progress = self.progress
        logs = {"loss": loss, "learning_rate": rate}
        if progress.step % self.training.log_every == 0 or progress.step == self.total_steps:
            mean = progress.loss_sum / progress.loss_count
            self._write({"step": progress.step, "loss": mean, "learning_rate": rate})
            progress.loss_sum, progress.loss_count = 0.0, 0
        self.run.hook.step_end(run=self.run, step=progress.step, logs=logs)
        self._hear_stop()

    def _end_epoch(self, epoch: int) -> None:
        """Validate, keep the best, and tell the observers."""
        progress, objective = self.progress, self.run.objective
        metrics = self._validate()
        if metrics:
            value = metrics[objective.monitor]
            if progress.best is None or _better(value, progress.best, objective.greater_is_better):
                progress.best, progress.best_step = value, progress.step
                checkpoint.save_best(self.checkpoints, self.run.graft)
            self._write({"step": progress.step, "epoch": epoch + 1, "validation": metrics})
        progress.history.append({"epoch": epoch + 1, "step": progress.step, "metrics": metrics})
        self.run.history = progress.history
        self.run.hook.epoch_end(run=self.run, epoch=epoch + 1, metrics=metrics)
        self._hear_stop()

    def _validate(self) -> dict[str, float]:
        run = self.run
        if "validation" not in run.rows:
            return {}
        with self.accelerator.autocast():
            kept = measure_split(run.graft, run.objective, run.rows["validation"], **run.reading())
        return run.objective.summarise(kept)

    def _thaw(self, share: float) -> None:
        """Freeze and unfreeze when a new part of the plan begins."""
        begun = max((start for start in self._starts if start <= share), default=0.0)
        if begun != self._thawed:
            self.run.plan.activate(share)
            self._thawed = begun

    def _finished(self) -> bool:
        return self.progress.step >= self.total_steps or self.progress.stop is not None

    def _due(self) -> bool:
        every = self.training.checkpoint_every
        return every is not None and self.progress.step % every == 0

    def _hear_stop(self) -> None:
        if self.run.stop is not None:
            self.progress.stop = self.run.stop

    def _save(self) -> None:
        checkpoint.save(self.checkpoints, self.run.graft, self.optimizer, self.names, self.progress)
        checkpoint.prune(self.checkpoints, self.training.keep)

    def _resume(self) -> None:
        found = checkpoint.latest(self.checkpoints)
        if found is not None:
            self.progress = checkpoint.load(found, self.run.graft, self.optimizer, self.names)
            log.info("resuming at step %d of %d", self.progress.step, self.total_steps)
        self.run.history = self.progress.history
        keep_lines(self.run.metrics_file, self.progress.step)

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.run.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _to_device(self, batch: Batch) -> Batch:
        return {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}

    def _optimizer(self) -> torch.optim.Optimizer:
        training = self.training
        settings = [
            {
                "params": list(group.parameters),
                "lr": self.rate * group.rule.scale,
                "weight_decay": training.weight_decay if group.decays else 0.0,
            }
            for group in self.groups
        ]
        if training.optimizer == "sgd":
            return torch.optim.SGD(settings, lr=self.rate, momentum=training.momentum)
        return torch.optim.AdamW(settings, lr=self.rate, betas=training.betas, fused=True)


def step_counts(run: Run) -> tuple[int, int]:
    """Optimizer steps in an epoch, and in the whole training."""
    training = run.recipe.training
    batches = math.ceil(len(run.rows["train"]) / training.batch_size)
    per_epoch = math.ceil(batches / training.accumulation)
    return per_epoch, training.steps or max(1, math.ceil(training.epochs * per_epoch))


def keep_lines(path: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl that a resumed training is about to write again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    path.write_text("".join(kept), encoding="utf-8")


def _accelerator(precision: str) -> Accelerator:
    """An accelerator for this precision, whatever an earlier run in the process used."""
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", log_with=None)


def _mix(seed: int, step: int) -> int:
    """One seed from two."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _better(value: float, best: float, greater: bool) -> bool:
    return value > best if greater else value < best
