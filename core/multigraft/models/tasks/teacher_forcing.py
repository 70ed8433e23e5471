"""Teacher forcing: each token of a text from its source and the true tokens before it (Sutskever
et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.generation import Generating, Writing, WrittenMetric, read_through
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.errors import RecipeError
from multigraft.models.tasks.written_rows import WrittenRows

IGNORED = -100
"""What pads the tokens of a text."""


class DecoderHead(nn.Module):
    """The decoder behind the true tokens. Its weights are the backbone's, and it has none."""

    def __init__(self, objective: TeacherForced) -> None:
        super().__init__()
        self._tied = (objective,)  # in a tuple, where nn.Module does not look for submodules

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``logits`` [B, T, V] of the tokens of ``labels``."""
        (objective,) = self._tied
        tokens, real = objective.feed(batch)
        decoder = objective.decoder
        memory = decoder.remember(features, batch)
        logits = read_through(decoder, objective.writing, tokens, real, memory)
        return {"logits": logits[:, objective.given :]}


class TeacherForced(Objective):
    """Cross-entropy of the tokens in ``labels`` [B, T], -100 behind a text, a row weighing as many
    as it has. For a backbone that is a `multigraft.contracts.generation.Decoder` with a
    `writing`."""

    monitor = "loss"
    greater_is_better = False
    fills: Mapping[str, float] = {"labels": IGNORED}
    smoothing = 0.0

    def __init__(self, brief: Brief) -> None:
        self.decoder: Any = brief.backbone
        self.options = brief.options
        self.writing: Writing = self.decoder.writing
        self.given = len(self.writing.start) - 1
        """The tokens that every text begins with, which are not learned."""

    def head(self) -> nn.Module:
        """The backbone's decoder."""
        return DecoderHead(self)

    def feed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The start, then the labels but the last; and which of them are real."""
        labels = batch["labels"]
        start = labels.new_tensor(self.writing.start).expand(len(labels), -1)
        before = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, self.writing.pad)
        first = torch.ones_like(start[:, : self.given])
        real = torch.cat([first, (labels != IGNORED).long()], dim=1)
        return torch.cat([start, before], dim=1), real

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Summed over the tokens [B], whose number is the weight."""
        return self._loss(outputs, batch, self.smoothing)

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """The loss without smoothing, its weight, and how many tokens were guessed right."""
        labels = batch["labels"]
        right = (outputs["logits"].argmax(-1) == labels) & (labels != IGNORED)
        plain = self._loss(outputs, batch, 0.0) if self.smoothing else loss
        return {**super().measure(outputs, batch, plain), "right": right.sum(1).float()}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, perplexity and accuracy of each token behind the true ones."""
        loss = share(kept, "loss", "weight")
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "token_accuracy": share(kept, "right", "weight"),
        }

    def _loss(self, outputs: Outputs, batch: Batch, smoothing: float) -> RowLoss:
        labels = batch["labels"]
        each = F.cross_entropy(
            outputs["logits"].float().transpose(1, 2),
            labels,
            reduction="none",
            ignore_index=IGNORED,
            label_smoothing=smoothing,
        )
        return RowLoss(each.sum(1), (labels != IGNORED).sum(1).float())


class WrittenText(WrittenRows, TeacherForced):
    """The tokens of a text that a column gives; final evaluation, export and the bundle judge what
    is written by `Task.answers`.

    Options: ``max_target_length`` (None: as many tokens as the decoder holds),
    ``label_smoothing``.
    """

    judged: WrittenMetric

    def __init__(self, brief: Brief) -> None:
        TeacherForced.__init__(self, brief)
        self.smoothing = brief.options["label_smoothing"]
        room = self.writing.max_length - len(self.writing.start)
        self.longest = int(brief.options["max_target_length"] or room)
        if self.longest > room:
            raise RecipeError(
                [f"task.max_target_length: found {self.longest}; the decoder holds {room}"]
            )

    def generating(self, head: nn.Module) -> Generating:
        """The decoder, and how it writes unless asked otherwise."""
        return Generating(
            decoder=self.decoder,
            writing=self.writing,
            feed=self.feed,
            outputs=lambda logits, batch: {"logits": logits[:, self.given :]},
            judged=self.judged,
            asked=self.asked(),
            whole=self.whole,
        )

    def asked(self) -> dict[str, Any]:
        """How texts are written unless a caller asks otherwise: greedily."""
        return {"max_new_tokens": self.longest}


def share(kept: Mapping[str, np.ndarray], part: str, whole: str) -> float:
    """The sum of ``part`` over the sum of ``whole``; 0 where there is nothing."""
    return float(kept[part].sum()) / max(float(kept[whole].sum()), 1e-12)


def perplexity(loss: float) -> float:
    """exp of a mean token loss in nats; infinite where it cannot be written."""
    with np.errstate(over="ignore"):
        return float(np.exp(loss))
