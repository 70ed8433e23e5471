"""Training progress: what a checkpoint must remember besides its tensors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

Count = Annotated[int, Field(ge=0)]
Measured = Annotated[float, Field(ge=0)]


class Ended(BaseModel):
    """Record of an epoch that ended."""

    epoch: Count
    step: Count
    metrics: dict[str, float]


PIECES = 2**20
"""A batch of more rows than this is not computed in any number of microbatches."""
ENDED = TypeAdapter(list[Ended])


@dataclass
class Progress:
    """Position of a training. Rates, batches and dropout follow from the seed and ``step``."""

    step: Count = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry a finished epoch: ``epoch``, ``step`` and the validation's ``metrics``."""
    best: float | None = None
    """The best value of the objective's metric so far."""
    best_loss: float | None = None
    """The loss beside it, by which equal values are told apart."""
    best_step: Count = 0
    loss_sum: float = 0.0
    """Of the steps since the last line in metrics.jsonl."""
    loss_count: Count = 0
    seconds: Measured = 0.0
    """Time spent in training, interruptions left out."""
    waited: Measured = 0.0
    """Of these, spent waiting for data."""
    saving: Measured = 0.0
    """Seconds spent writing checkpoints, besides."""
    rows: Count = 0
    """Rows trained on, each as often as it was used."""
    stop: str | None = None
    """Why training ended before its last step."""
    skipped: Count = 0
    """Steps left out because their loss or gradient was no finite number."""
    bad: Count = 0
    """Of these, the last ones in a row."""
    rollbacks: Count = 0
    """How often training went back to a checkpoint and on at a lower rate."""
    rate_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What the going back left of the recipe's learning rate."""
    first_loss: float = 0.0
    """The mean loss of the first steps."""
    recent_loss: float = 0.0
    """The running mean of the loss."""
    finite: Count = 0
    """Steps that ``first_loss`` and ``recent_loss`` have seen."""
    pieces: Annotated[int, Field(ge=1, le=PIECES)] = 1
    """Into how many a batch is divided, so that it fits into memory."""
    lines: Count = 0
    """Bytes of metrics.jsonl at the last checkpoint."""
    lines_hash: str = ""
    """Of these bytes."""

    @property
    def epochs(self) -> int:
        """The epochs whose ends are in the history."""
        return int(self.history[-1]["epoch"]) if self.history else 0

    def line(self, rate: float) -> dict[str, Any]:
        """Line of metrics.jsonl on the steps since the last one; the next begins here."""
        told = {
            "step": self.step,
            "loss": self.loss_sum / self.loss_count,
            "learning_rate": rate,
            **({"skipped": self.skipped} if self.skipped else {}),
        }
        self.loss_sum, self.loss_count = 0.0, 0
        return told


def read_progress(state: dict[str, Any]) -> Progress:
    """The progress in a checkpoint. Raises ValueError; it may come from anywhere."""
    progress = TypeAdapter(Progress).validate_json(json.dumps(state), strict=True)
    ENDED.validate_python(progress.history, strict=True)
    return progress
