"""Where a training is, kept on the disk so that it can go on after anything."""

from multigraft.training.checkpoint.folder import Checkpoints
from multigraft.training.checkpoint.progress import Progress

__all__ = ["Checkpoints", "Progress"]
