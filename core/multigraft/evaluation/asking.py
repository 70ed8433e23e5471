"""What may be asked of the answers that are evaluated: as a deployer asks, so that the figure is
theirs."""

from __future__ import annotations

from multigraft.contracts.answers import Answers
from multigraft.contracts.objectives import Objective, averages
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Option
from multigraft.evaluation.answer_scores import Metrics
from multigraft.runtime.flipping import FLIP, asks_of


def evaluation_asks(
    metrics: Metrics[Objective], answers: Answers | None, reader: Reader
) -> dict[str, Option]:
    """Of a task whose answers have scores, all that they may be asked; of others what changes their
    metrics, the mean with the mirror image. What writes texts follows the task's options alone."""
    if answers is None or metrics.writer is not None:
        return {}
    found = dict(asks_of(answers, reader, answers.flips))
    if metrics.answers is not None:
        return found
    return {FLIP: found[FLIP]} if FLIP in found and averages(metrics.objective) else {}
