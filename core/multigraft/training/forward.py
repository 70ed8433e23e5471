"""Forward pass of a training batch: replayed from a frozen part, compiled, or plain."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from multigraft.contracts.branches import BranchesReader, augment_of
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import LENGTHS, Outputs
from multigraft.errors import first_line
from multigraft.runs.run import Run
from multigraft.system.compute.precision import FP32, Precision
from multigraft.training.compiling import TRIAL_STEP, compiled, is_faster, worth_trying
from multigraft.training.replay import (
    Replay,
    Replayed,
    Setting,
    UnfitError,
    having,
    of_branches,
    open_player,
    untouched,
)
from multigraft.training.row_parts import like_length, split_rows

log = logging.getLogger("multigraft")
TWICE = 2.0
"""The epochs of a phase from which on computing once pays."""


class Forward:
    """The forward pass of one training."""

    def __init__(self, run: Run, *, device: torch.device, precision: Precision) -> None:
        self.run = run
        self.device = device
        self.model: nn.Module = run.graft
        """The graft, or what compiling made of it."""
        self.precision = precision
        self.replayed: Mapping[str, Replay] = {}
        self._phase = 0.0, 0.0
        """Where the present phase begins, and the epochs it lasts."""
        self._compile = run.recipe.training.compile
        """``auto`` until it is decided."""

    def begin(self, share: float, epochs: float) -> None:
        """Freeze and unfreeze for the phase that begins at ``share`` and lasts ``epochs``."""
        self._phase = share, epochs
        self.run.plan.activate(share)
        self.replayed = self._replay(share, epochs)

    def widen(self) -> None:
        """Compute in fp32 for the rest of the phase, what is replayed too."""
        self.precision = replace(self.precision, name="fp32")
        self.begin(*self._phase)

    def __call__(self, batch: Batch, rows: np.ndarray) -> Outputs:
        """The outputs for a batch of these training rows."""
        if "train" in self.replayed:
            return self.replayed["train"].outputs(self.model, batch, rows)
        outputs: Outputs = self.model(batch)
        return outputs

    def in_parts(self, batch: Batch, rows: np.ndarray, parts: int) -> Outputs:
        """The outputs for a batch from parts of it, where its objective lets rows meet in the loss
        alone.

        Several ``parts`` are for want of memory: each is computed again for its gradients (gradient
        caching, Gao et al. 2021), so that memory holds the inside of one at a time. A processor
        computes rows of like length together, where the batch tells their `LENGTHS`.

        Arrays shorter than the longest are targets, which no network reads.
        """
        wanted = max(parts, self._like_length(batch))
        if wanted == 1:
            return self(batch, rows)
        split = split_rows(batch, wanted, varying=self.run.reader.fills)
        compute = partial(checkpoint, self, use_reentrant=False) if parts > 1 else self
        made: list[Outputs] = [compute(part, rows) for part in split.batches]
        return split.join(made)

    def _like_length(self, batch: Batch) -> int:
        """How many parts a batch is computed in so that little of it is padding."""
        if LENGTHS not in batch or self.replayed or self.device.type != "cpu":
            return 1
        return like_length(len(batch[LENGTHS]))

    def needs(self) -> frozenset[str] | None:
        """The arrays of a training batch that are still read; None where all may be."""
        return self.replayed["train"].reads if "train" in self.replayed else None

    def consider(self, step: int, batch: Batch, step_seconds: float, steps_left: int) -> None:
        """Switch to `torch.compile` if the recipe asks, or if ``auto`` measures that it pays."""
        if (
            self._compile == "off"
            or self.replayed
            or self.run.recipe.training.gradient_checkpointing
        ):
            return
        if self._compile == "auto" and (
            self.run.world.size > 1 or self.run.recipe.training.deterministic
        ):
            return  # what is measured may differ from process to process, and from run to run
        if self._compile == "on":
            self._switch(self._compiled())
        elif step >= TRIAL_STEP:
            self._compile = "off"
            if self.run.facts.get("compiled"):  # decided before an interruption, and kept to
                self._switch(self._compiled())
            elif "compiled" not in self.run.facts and worth_trying(step_seconds, steps_left):
                self._try(batch)

    def _try(self, batch: Batch) -> None:
        candidate = self._compiled()
        with untouched(self.run.graft, gradients=True):
            faster = is_faster(
                lambda: self._probe(self.model, batch), lambda: self._probe(candidate, batch)
            )
        self.run.record(compiled=faster)
        if faster:
            self._switch(candidate)

    def _probe(self, model: nn.Module, batch: Batch) -> None:
        """A step's forward and backward pass."""
        with self.precision.autocast():
            loss = self.run.objective.loss(model(batch), batch).mean()
        loss.backward()
        self.run.graft.zero_grad(set_to_none=True)

    def _compiled(self) -> nn.Module:
        lengths = self.run.rows["train"].lengths
        return compiled(self.model, varied=bool(np.ptp(lengths)))

    def _switch(self, model: nn.Module) -> None:
        self.model = model
        self._compile = "off"

    def _replay(self, share: float, epochs: float) -> Mapping[str, Replay]:
        """Results of the frozen part for training and validation rows, if it is replayed."""
        run, wanted = self.run, self.run.recipe.training.replay
        packed = run.recipe.training.packing is not None
        if packed or wanted == "off" or (wanted == "auto" and epochs < TWICE):
            return {}
        depths = {branch: plan.frozen(share) for branch, plan in run.plan.by_branch().items()}
        found = {branch: self._replay_branch(branch, depth) for branch, depth in depths.items()}
        return {
            split: of_branches(
                run.rows[split], {b: held[split] for b, held in found.items() if held}
            )
            for split in ("train", "validation")
            if split in run.rows and any(found.values())
        }

    def _replay_branch(self, branch: str, depth: int) -> Mapping[str, Replayed]:
        """The same of one branch; of the whole graft where there are none."""
        run = self.run
        if not depth or (branch and branch == run.resolved.writer):
            return {}
        setting = replay_setting(run, branch=branch, precision=self.precision)
        try:
            with run.world.in_turn():
                player = open_player(setting, depth, having(run.rows["train"], branch)[0])
                if player is None:
                    return {}
                found = {
                    name: player.take(having(run.rows[name], branch)[0])
                    for name in ("train", "validation")
                    if name in run.rows
                }
        except (
            Exception
        ) as error:  # where it is the network's own, computing plainly raises it again
            log.info("the frozen part%s is computed in every epoch: %s", _of(branch), why(error))
            return {}
        log.info(
            "replaying %s%s of %d rows",
            player.frozen.name,
            _of(branch),
            sum(len(each.keys) for each in found.values()),
        )
        return found


def _of(branch: str) -> str:
    return f" of {branch!r}" if branch else ""


def replay_setting(run: Run, *, branch: str = "", precision: Precision = FP32) -> Setting:
    """Settings of a replay, from a run: of one branch, or of its backbone as a whole."""
    reader, augment = run.reader, run.augment
    if branch and isinstance(reader, BranchesReader):
        reader = reader.branches[branch]
        augment = augment_of(augment, branch)
    return Setting(
        graft=run.graft.seen_from(branch) if branch else run.graft,
        objective=run.objective,
        reader=reader,
        augment=augment,
        precision=precision,
        device=next(run.graft.parameters()).device,
        size=run.recipe.training.batch_size,
        made_with={name: run.facts.get(name) for name in ("versions", "plugins", "multigraft")},
    )


def replayed_split(run: Run, split: str) -> Replay | None:
    """Results of what training left frozen, to evaluate a split; None where none were kept, and
    ``training.replay`` does not ask to keep them."""
    told = run.facts.get("frozen", 0)
    depths = told if isinstance(told, dict) else {"": told}
    if run.recipe.training.replay == "off" or not any(depths.values()):
        return None
    if depths.keys() != run.plan.by_branch().keys():
        return None
    run.graft.eval()
    found = {branch: _kept_branch(run, split, branch, depth) for branch, depth in depths.items()}
    held = {branch: each for branch, each in found.items() if each is not None}
    return of_branches(run.rows[split], held) if held else None


def _kept_branch(run: Run, split: str, branch: str, depth: int) -> Replayed | None:
    """The kept results of one branch, or of the whole graft."""
    if not depth or (branch and branch == run.resolved.writer):
        return None
    rows, _ = having(run.rows[split], branch)
    try:
        # "on" is for runs to come, too: they evaluate the same rows
        kept = run.recipe.training.replay != "on"
        player = open_player(replay_setting(run, branch=branch), depth, rows, only_kept=kept)
        return None if player is None else player.take(rows)
    except Exception as error:
        log.info("evaluation computes the frozen part%s anew: %s", _of(branch), why(error))
        return None


def why(error: Exception) -> str:
    """Say in a line why nothing is replayed; other libraries' errors with their class."""
    if isinstance(error, UnfitError | OSError):
        return first_line(error)
    return f"trying it raised {type(error).__name__}: {first_line(error)}"
