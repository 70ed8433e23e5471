"""What a training must remember besides its tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Where a training is. The rest (rates, batches, dropout) follows from the seed and ``step``."""

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry a finished epoch: ``epoch``, ``step`` and the validation's ``metrics``."""
    best: float | None = None
    """The best value of the objective's metric so far."""
    best_loss: float | None = None
    """The loss beside it, by which equal values are told apart."""
    best_step: int = 0
    loss_sum: float = 0.0
    """Of the steps since the last line in metrics.jsonl."""
    loss_count: int = 0
    seconds: float = 0.0
    """Time spent in training, interruptions left out."""
    waited: float = 0.0
    """Of these, spent waiting for data."""
    saving: float = 0.0
    """Seconds spent writing checkpoints, besides."""
    rows: int = 0
    """Rows trained on, each as often as it was used."""
    stop: str | None = None
    """Why training ended before its last step."""
    skipped: int = 0
    """Steps left out because their loss or gradient was no finite number."""
    bad: int = 0
    """Of these, the last ones in a row."""
    rollbacks: int = 0
    """How often training went back to a checkpoint and on at a lower rate."""
    rate_scale: float = 1.0
    """What the going back left of the recipe's learning rate."""
    first_loss: float = 0.0
    """The mean loss of the first steps."""
    recent_loss: float = 0.0
    """The running mean of the loss."""
    finite: int = 0
    """Steps that ``first_loss`` and ``recent_loss`` have seen."""
    pieces: int = 1
    """The parts a batch is computed in, so that it fits into memory."""

    @property
    def epochs(self) -> int:
        """The epochs whose ends are in the history."""
        return int(self.history[-1]["epoch"]) if self.history else 0
