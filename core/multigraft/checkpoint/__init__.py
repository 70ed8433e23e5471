"""Where a training is, kept on the disk so that it can go on after anything."""

from multigraft.checkpoint.progress import Progress
from multigraft.checkpoint.store import Checkpoints

__all__ = ["Checkpoints", "Progress"]
