"""The one training loop: fit -> epoch -> step. Everything random in it follows from (seed, step)."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from multigraft import checkpoint
from multigraft.chance import quick_dropout
from multigraft.checkpoint import Progress
from multigraft.clock import Clock
from multigraft.data import iterate
from multigraft.data.workers import choose_workers
from multigraft.device import choose_precision, lay_out
from multigraft.errors import RunError
from multigraft.evaluation import measure_split
from multigraft.features import Batch
from multigraft.forward import Forward
from multigraft.recompute import recomputing
from multigraft.schedule import rate_factor
from multigraft.strategies import default_rate
from multigraft.timetable import Timetable

if TYPE_CHECKING:
    from multigraft.run import Run

log = logging.getLogger("multigraft")

Step = tuple[np.ndarray, Batch]
"""The rows of a batch and their tensors; an optimizer step has one or, with accumulation, several."""


class Fit:
    """One training of one run; what it must remember is in ``progress`` and in its checkpoints."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.training = run.recipe.training
        precision = choose_precision(self.training.precision)
        self.accelerator = _accelerator(precision)
        self.device = self.accelerator.device
        run.graft.to(self.device)
        lay_out(run.graft, channels_last=self.training.channels_last)
        self.groups = run.plan.groups()
        self.names = [name for group in self.groups for name in group.names]
        self.rate = self.training.learning_rate or default_rate(run.plan, scratch=run.parts.origin.scratch)
        self.optimizer = self._optimizer()
        # one process needs no wrapper; preparing would replace the graft's forward for good
        model = self.accelerator.prepare(run.graft) if self.accelerator.use_distributed else run.graft
        self.forward = Forward(run, model, precision=precision, autocast=self.accelerator.autocast)
        self.timetable = Timetable(
            run.rows["train"].lengths, self.training, seed=run.recipe.seed, budget=run.budget()
        )
        self.total_steps = run.total_steps = self.timetable.total_steps
        self.checkpoints = run.folder / "checkpoints"
        self.progress = Progress()
        self.workers = 0
        self._starts = run.plan.starts()
        self._thawed = -1.0
        """The share of training at which the present phase began."""
        self._clock = Clock()

    def fit(self) -> Progress:
        """Train from the newest checkpoint, or from the start, to the end or to a stop."""
        self._resume()
        log.info(
            "training %s of %s parameters for %d steps at rate %.3g in %s",
            f"{self.run.plan.learning():,}",
            f"{sum(p.numel() for p in self.run.graft.parameters()):,}",
            self.total_steps,
            self.rate,
            self.forward.precision,
        )
        with ExitStack() as stack:
            stack.enter_context(quick_dropout())
            if self.training.gradient_checkpointing:
                stack.enter_context(recomputing(self.run.graft))
            while not self._finished():
                self._epoch(self.timetable.place(self.progress.step)[0])
        self.run.record(frozen=self.run.plan.frozen(1.0))
        checkpoint.load_best(self.checkpoints, self.run.graft)
        return self.progress

    def _epoch(self, epoch: int) -> None:
        self._clock.start()
        for step in self._steps(epoch):
            self._step(step)
            ended = self.timetable.ends(self.progress.step)
            if ended or self._finished():
                self._end_epoch(epoch)
            if ended or self._finished() or self._due():
                self._clock.stop(self.progress)
                self._save()
                self._clock.start()
            if self._finished():
                return

    def _steps(self, epoch: int) -> Iterator[list[Step]]:
        """The batches of each remaining step of an epoch, on the device; read anew where a phase begins."""
        loaded: Iterator[Step] = iter(())
        phase: float | None = None
        while self.timetable.place(self.progress.step)[0] == epoch:
            self._thaw(self.progress.step)
            if phase != self._thawed:
                loaded, phase = self._load(epoch), self._thawed
            with self._clock.waiting():
                batches = list(islice(loaded, self.training.accumulation))
            yield [(rows, self._to_device(batch)) for rows, batch in batches]

    def _load(self, epoch: int) -> Iterator[Step]:
        run = self.run
        return iterate(
            run.rows["train"],
            self.timetable.batches(epoch),
            objective=run.objective,
            reader=run.reader,
            augment=run.augment,
            seed=run.recipe.seed,
            epoch=epoch,
            train=True,
            workers=self.workers,
            start=self.timetable.place(self.progress.step)[1] * self.training.accumulation,
            names=self.forward.needs(),
        )

    def _step(self, batches: list[Step]) -> None:
        """One optimizer step over the batches that make it."""
        step, progress = self.progress.step, self.progress
        torch.manual_seed(_mix(self.run.recipe.seed, step))  # dropout, and what else draws inside forward
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
        progress.rows += sum(len(rows) for rows, _ in batches)
        progress.loss_sum += loss
        progress.loss_count += 1
        self._clock.stepped()
        self.forward.consider(
            progress.step, batches[0][1], self._clock.step_seconds(), self.total_steps - progress.step
        )
        self._after_step(loss, self.rate * factor)

    def _backward(self, batches: list[Step]) -> float:
        """Gradients of the loss over all rows of the step, whatever batches they came in."""
        total, weight = 0.0, 0.0
        for rows, batch in batches:
            with self.accelerator.autocast():
                loss = self.run.objective.loss(self.forward(batch, rows), batch)
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
        line: dict[str, Any] = {
            "step": progress.step,
            "epoch": epoch + 1,
            "padding": self.timetable.padding(epoch),
        }
        if metrics:
            value = metrics[objective.monitor]
            if progress.best is None or _better(value, progress.best, objective.greater_is_better):
                progress.best, progress.best_step = value, progress.step
                checkpoint.save_best(self.checkpoints, self.run.graft)
            line["validation"] = metrics
        self._write(line)
        progress.history.append({"epoch": epoch + 1, "step": progress.step, "metrics": metrics})
        self.run.history = progress.history
        self.run.hook.epoch_end(run=self.run, epoch=epoch + 1, metrics=metrics)
        self._hear_stop()

    def _validate(self) -> dict[str, float]:
        run = self.run
        if "validation" not in run.rows:
            return {}
        replayed = self.forward.replayed.get("validation")
        with self.accelerator.autocast():
            kept = measure_split(
                run.graft, run.objective, run.rows["validation"], replayed=replayed, **run.reading()
            )
        return run.objective.summarise(kept)

    def _thaw(self, step: int) -> None:
        """Freeze and unfreeze where a new phase of the plan begins."""
        share = step / self.total_steps
        begun = max((start for start in self._starts if start <= share), default=0.0)
        if begun != self._thawed:
            end = min((start for start in self._starts if start > begun), default=1.0)
            self.forward.begin(begun, self.timetable.epochs(begun, end))
            self.workers = self._choose_workers()
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

    def _choose_workers(self) -> int:
        run, wanted = self.run, self.training.workers
        if wanted != "auto":
            return wanted
        return choose_workers(
            run.rows["train"],
            objective=run.objective,
            reader=run.reader,
            augment=run.augment,
            seed=run.recipe.seed,
            batch_size=self.training.batch_size,
            accelerated=self.device.type != "cpu",
            names=self.forward.needs(),
        )

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
            return torch.optim.SGD(settings, lr=self.rate, momentum=training.momentum, fused=True)
        return torch.optim.AdamW(settings, lr=self.rate, betas=training.betas, fused=True)


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
