"""Teacher forcing: each token of a text from the source and the true tokens before it (Sutskever
et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import (
    Brief,
    Features,
    Generating,
    MultigraftError,
    Objective,
    RowError,
    RowLoss,
    WrittenMetric,
)
from multigraft.contracts.features import Batch
from multigraft.contracts.generation import read_through
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.types import Arrays
from multigraft.errors import RecipeError
from multigraft_text.language import IGNORED, perplexity, share
from multigraft_text.seq2seq.module import EncoderDecoder
from multigraft_text.seq2seq.targets import TargetReader


class TeacherForcing(nn.Module):
    """The decoder behind the true tokens. Its weights are the backbone's, and it has none."""

    def __init__(self, objective: Written) -> None:
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


class Written(Objective):
    """Cross-entropy of a text's tokens, a row weighing as many as it has; final evaluation, export
    and the bundle judge what is written by `Task.answers`."""

    monitor = "loss"
    greater_is_better = False
    fills: Mapping[str, float] = {"labels": IGNORED}
    whole = True
    column = "target"
    judged = WrittenMetric(metric="cer", greater_is_better=False)

    def __init__(self, brief: Brief) -> None:
        if not isinstance(brief.backbone, EncoderDecoder):
            raise MultigraftError(
                f"this task needs an encoder-decoder, and {type(brief.backbone).__name__} is none; "
                "backbones that fit: t5-..., bart-..., marian-..."
            )
        self.decoder = brief.backbone
        self.options = brief.options
        self.writing = brief.backbone.writing
        self.given = len(self.writing.start) - 1
        """The tokens that every text begins with, which are not learned."""
        self.targets = TargetReader(brief.backbone.spec)
        room = self.writing.max_length - len(self.writing.start)
        if brief.options["max_target_length"] > room:
            raise RecipeError(
                [
                    f"task.max_target_length: found {brief.options['max_target_length']}; the "
                    f"decoder holds {room}"
                ]
            )

    def head(self) -> nn.Module:
        """The backbone's decoder."""
        return TeacherForcing(self)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``labels`` int64 [T]. Raises RowError for a target that is empty or too long."""
        try:
            tokens = self.targets.read(row[self.column])
        except RowError as error:
            raise RowError(str(error), column=self.column) from error
        most = self.options["max_target_length"]
        if len(tokens) > most:
            raise RowError(
                f"has {len(tokens)} tokens, the end counted, and at most {most} are written: raise "
                "task.max_target_length, or shorten the text",
                column=self.column,
            )
        return {"labels": np.array(tokens, dtype=np.int64)}

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
        return self._loss(outputs, batch, self.options["label_smoothing"])

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """The loss without smoothing, its weight, and how many tokens were guessed right."""
        labels = batch["labels"]
        right = (outputs["logits"].argmax(-1) == labels) & (labels != IGNORED)
        plain = self._loss(outputs, batch, 0.0) if self.options["label_smoothing"] else loss
        return {**super().measure(outputs, batch, plain), "right": right.sum(1).float()}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, perplexity and accuracy of each token behind the true ones."""
        loss = share(kept, "loss", "weight")
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "token_accuracy": share(kept, "right", "weight"),
        }

    def generating(self, head: nn.Module) -> Generating:
        """The decoder, and how it writes unless asked otherwise."""
        return Generating(
            decoder=self.decoder,
            writing=self.writing,
            feed=self.feed,
            outputs=lambda logits, batch: {"logits": logits[:, self.given :]},
            judged=self.judged,
            asked=self._asked(),
        )

    def _asked(self) -> dict[str, Any]:
        options = self.options
        asked = {"max_new_tokens": options["max_target_length"]}
        if options["no_repeat_ngram"]:
            asked["no_repeat_ngram"] = options["no_repeat_ngram"]
        if options["beams"] == 1:
            return asked
        beams = {name: options[name] for name in ("beams", "length_penalty")}
        return {**asked, "method": "beam", **beams}

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


class TextToText(Written):
    """Any text from a text: judged by the error rate of its characters."""


class Summarization(Written):
    """A short text from a long one, of which the beginning may do: judged by ROUGE-L."""

    whole = False
    column = "summary"
    judged = WrittenMetric(metric="rougeL", greater_is_better=True)


class Translation(Written):
    """A text in another language: judged by chrF, which says something of small sets too."""

    judged = WrittenMetric(metric="chrf", greater_is_better=True)
