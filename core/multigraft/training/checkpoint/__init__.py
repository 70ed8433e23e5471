"""Checkpoints: where a training is, on disk, so that it can go on after anything."""

from multigraft.training.checkpoint.folder import Checkpoints
from multigraft.training.checkpoint.progress import Progress

__all__ = ["Checkpoints", "Progress"]
