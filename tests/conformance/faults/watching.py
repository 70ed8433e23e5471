"""Faults of observers."""

from __future__ import annotations

import torch

import multigraft as mg
from conformance.faults.good import Plugin


class Raising(Plugin):
    @mg.hookimpl
    def epoch_end(self, epoch: int) -> None:
        raise ZeroDivisionError("division by zero")


class Meddling(Plugin):
    @mg.hookimpl
    def step_end(self, run: mg.Run) -> None:
        with torch.no_grad():
            next(run.graft.parameters()).mul_(0.9)
