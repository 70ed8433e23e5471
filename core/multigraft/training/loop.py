"""The training loop: fit -> epoch -> step. All that is random follows from (seed, step)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from multigraft.errors import RunError
from multigraft.runs.metrics_log import MetricsLog
from multigraft.system.compute.determinism import deterministic
from multigraft.system.disk import check_space
from multigraft.system.signals import Interrupted, Stopping
from multigraft.training import divergence
from multigraft.training.attention import fast_attention
from multigraft.training.batch_stream import BatchStream
from multigraft.training.checkpoint import Progress
from multigraft.training.clock import Clock
from multigraft.training.dropout import fast_dropout, step_seed
from multigraft.training.gradient_checkpointing import gradient_checkpointing
from multigraft.training.lbfgs import solve
from multigraft.training.lone_rows import lone_rows
from multigraft.training.observers import Observers
from multigraft.training.phases import Phase, Phases
from multigraft.training.setup import (
    build_average,
    build_checkpoints,
    build_forward,
    build_optimizer,
)
from multigraft.training.standardization import Standardization
from multigraft.training.step import Gradient, Step
from multigraft.training.validation import improved, validate

if TYPE_CHECKING:
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")


class Fit:
    """One training of one run; what it must remember is in ``progress`` and in its checkpoints."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.world = run.world
        self.training = run.recipe.training
        self.forward = build_forward(run)
        self.gradient = Gradient(run, self.forward)
        self.stream = BatchStream(run, self.forward.device)
        self.schedule = self.stream.schedule
        self.total_steps = run.total_steps = self.schedule.total_steps
        self.optimizer = build_optimizer(run, self.total_steps)
        self.average = build_average(run)
        self.checkpoints = build_checkpoints(run, self.optimizer, self.average)
        self.observers = Observers(run.catalog.manager, run.folder, strict=run.catalog.strict)
        self.metrics_log = MetricsLog(run.metrics_file, writes=self.world.leads)
        self.progress = Progress()
        self._standardization = Standardization(run)
        self._phases = Phases(run.plan.starts())
        self._clock = Clock()
        self._stopping = Stopping(alone=self.world.size == 1)
        self._saved = 0.0
        """Seconds of training at the last checkpoint."""

    def fit(self) -> Progress:
        """Train from the newest checkpoint, or from the start, to the end or to a stop.

        Raises Interrupted where a signal asked to stop; a checkpoint is written before.
        """
        self._resume()
        self.run.record(precision=self.forward.precision.name)
        if self.total_steps == 0:
            log.info("no step is taken: the weights stay as they are")
            return self.progress
        log.info(
            "training %s of %s parameters for %d steps at rate %.3g in %s",
            f"{self.run.plan.learning():,}",
            f"{sum(p.numel() for p in self.run.graft.parameters()):,}",
            self.total_steps,
            self.optimizer.rate,
            self.forward.precision.name,
        )
        with self._settings(), self._stopping.heeding():
            self._clock.start()
            try:
                if self._end_epoch_if_owed() and self._due():
                    self._save()
                while not self._finished():
                    self._epoch(self.schedule.place(self.progress.step)[0])
            except Interrupted:
                if self.average is not None:
                    self.average.give_back()
                self._save()
                raise
        self._clock.stop(self.progress)
        frozen = {branch: plan.frozen(1.0) for branch, plan in self.run.plan.by_branch().items()}
        self.run.record(frozen=frozen.get("", frozen), observers_off=self.observers.off)
        self._take_best()
        # after an interruption behind the last step too
        self._unfreeze(max(0, self.progress.step - 1))
        solved = solve(self.run, self.forward, self.optimizer.standard, self.progress)
        if solved is not None:
            self.metrics_log.write(solved)
        return self.progress

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """What of torch is another in training."""
        with ExitStack() as stack:
            stack.enter_context(fast_dropout())
            stack.enter_context(fast_attention())
            stack.enter_context(lone_rows(self.run.graft))
            if self.training.deterministic:
                stack.enter_context(deterministic())
            if self.training.gradient_checkpointing:
                stack.enter_context(gradient_checkpointing(self.run.graft))
            yield

    def _epoch(self, epoch: int) -> None:
        """Train to the end of an epoch, or until training must go on from elsewhere."""
        for step in self._steps(epoch):
            with self._stopping.held():
                went_back = not self._step(step)
            if went_back:
                return
            self._end_epoch_if_owed()
            if self._due():
                self._save()
            if self._finished():
                return

    def _steps(self, epoch: int) -> Iterator[Step]:
        """Each remaining step of an epoch; read anew where a phase of the plan begins."""
        steps: Iterator[Step] = iter(())
        phase: Phase | None = None
        while self.schedule.place(self.progress.step)[0] == epoch:
            self._unfreeze(self.progress.step)
            if phase != self._phases.now:
                steps, phase = self.stream.steps(self.progress.step), self._phases.now
            with self._clock.waiting():
                step = next(steps)
            yield step

    def _step(self, batches: Step) -> bool:
        """Take one optimizer step over its batches; False where training went back instead."""
        progress = self.progress
        # dropout, and what else draws inside forward
        torch.manual_seed(step_seed(self.run.recipe.seed, progress.step, self.world.rank))
        outcome = self.gradient.compute(batches, progress.pieces)
        progress.pieces = outcome.microbatches
        progress.step += 1
        if not outcome.finite:
            return self._leave_out(outcome.loss)
        rate = self.optimizer.step(progress.step - 1, progress.rate_scale, outcome.factor)
        divergence.passed(progress, outcome.loss)
        if self.average is not None:
            self.average.update(progress.step)
        rows, heard = self.world.sum(
            sum(len(rows) for rows, _ in batches), self._stopping.heard or 0
        )
        progress.rows += int(rows)
        if heard and self.world.size > 1:
            self._stopping.agree(signal.SIGTERM)
        progress.loss_sum += outcome.loss
        progress.loss_count += 1
        self._clock.stepped()
        self.forward.consider(
            progress.step,
            batches[0][1],
            self._clock.step_seconds(),
            self.total_steps - progress.step,
        )
        self._after_step(outcome.loss, rate)
        return True

    def _leave_out(self, loss: float) -> bool:
        """Leave out a step that is not finite; after several in a row go back, and say False."""
        progress = self.progress
        divergence.skipped(progress)
        log.warning(
            "step %d is left out: its loss (%g) or gradient is not finite", progress.step, loss
        )
        if progress.bad < self.training.bad_steps:
            return True
        restored = self.checkpoints.load() if progress.rollbacks < divergence.ROLLBACKS else None
        if restored is None:
            raise RunError(divergence.diverged_for_good(progress, loss, self.optimizer.rate))
        self.progress = divergence.went_back(progress, restored)
        log.warning(
            "%d such steps in a row: back to step %d, at half the rate", progress.bad, restored.step
        )
        self._phases.leave()
        self.run.history = self.progress.history
        self.world.wait()
        self.metrics_log.keep(restored.step, restored.epochs)
        self._save()
        return False

    def _after_step(self, loss: float, rate: float) -> None:
        progress = self.progress
        if progress.step % self.training.log_every == 0 or progress.step == self.total_steps:
            self.metrics_log.write(progress.line(rate))
        self.run.stop = self.run.stop or divergence.diverged(progress, self.training.diverged)
        logs = {"loss": loss, "learning_rate": rate}
        self.observers.tell("step_end", run=self.run, step=progress.step, logs=logs)
        self._hear_stop()

    def _end_epoch_if_owed(self) -> bool:
        """Validate at an epoch's end, unless an earlier process did; whether it is done now."""
        progress = self.progress
        told = progress.history[-1]["step"] if progress.history else 0
        if not self._pauses() or told >= progress.step:
            return False
        self._unfreeze(progress.step - 1)  # as it was at the last step, also after an interruption
        metrics = validate(self.run, self.forward, self.average)
        with self._stopping.held():
            self._end_epoch(self.schedule.place(progress.step - 1)[0], metrics)
        return True

    def _end_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Keep the best, and tell the observers."""
        progress = self.progress
        line: dict[str, Any] = {
            "step": progress.step,
            "epoch": epoch + 1,
            "padding": self.schedule.padding(epoch),
        }
        if metrics:
            if improved(progress, metrics, self.run.objective):
                mean = None if self.average is None else self.average.values
                self.checkpoints.keep_best(progress.step, mean)
            line["validation"] = metrics
        self.metrics_log.write(line)
        progress.history.append({"epoch": epoch + 1, "step": progress.step, "metrics": metrics})
        self.run.history = progress.history
        self.observers.tell("epoch_end", run=self.run, epoch=epoch + 1, metrics=metrics)
        self._hear_stop()

    def _unfreeze(self, step: int) -> None:
        """Freeze and unfreeze where a new phase of the plan begins."""
        phase = self._phases.enter(step / self.total_steps)
        if phase is not None:
            self.forward.begin(phase.begin, self.schedule.epochs(phase.begin, phase.end))
            standard = self._standardization.begin(self.forward, self.progress.step)
            self.gradient.standard = self.optimizer.standard = standard
            self.stream.begin(self.forward.needs(), whole=bool(self.forward.replayed))

    def _finished(self) -> bool:
        return self.progress.step >= self.total_steps or self.progress.stop is not None

    def _pauses(self) -> bool:
        """Whether an epoch ends here, or all of the training."""
        return self.schedule.ends(self.progress.step) or self._finished()

    def _due(self) -> bool:
        """Whether a checkpoint is written now: as the recipe says, else where it costs little."""
        every = self.training.checkpoint_every
        if every is not None:
            return self.progress.step % every == 0 or self._pauses()
        since = self.progress.seconds + self._clock.running() - self._saved
        return self.checkpoints.due(since, pause=self._pauses())

    def _hear_stop(self) -> None:
        """Take up a reason to stop; of several processes the first decides."""
        self.run.stop = self.world.agree(self.run.stop)
        if self.run.stop is not None:
            self.progress.stop = self.run.stop

    def _save(self) -> None:
        self._clock.stop(self.progress)
        if self.world.leads:
            with self._stopping.held():
                self.metrics_log.sync()
                self.progress.lines, self.progress.lines_hash = self.metrics_log.state()
                self.checkpoints.save(self.progress)
        self._saved = self.progress.seconds
        self._clock.start()

    def _resume(self) -> None:
        if self.world.leads:
            check_space(
                self.run.folder, self.checkpoints.needed(), begun="resumed" in self.run.facts
            )
        found = self.checkpoints.load()
        if found is not None:
            self.progress, self.run.stop = found, found.stop
            log.info("resuming at step %d of %d", found.step, self.total_steps)
        self._saved = self.progress.seconds
        self.run.history = self.progress.history
        self.metrics_log.keep(self.progress.step, self.progress.epochs)
        if told := self.metrics_log.missing(self.progress.lines, self.progress.lines_hash):
            log.warning("%s", told)
            self.run.record(notes=[*self.run.facts.get("notes", ()), told])

    def _take_best(self) -> None:
        """Give the graft the best weights; without validation, the last ones or their mean."""
        if not self.checkpoints.load_best(self.progress.best_step) and self.average is not None:
            self.average.take_over()
