"""The task of a bundle, bound to it: what its rows are measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multigraft.contracts.answers import scores
from multigraft.contracts.records import Option, Task
from multigraft.contracts.row_objectives import RowBrief, RowObjective
from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError, UnknownName, refused_as
from multigraft.evaluation.answer_scores import Metrics
from multigraft.plugins.catalog import Catalog
from multigraft.runtime import Predictor
from multigraft.runtime.asking import given_asks
from multigraft.runtime.flipping import FLIP
from multigraft.runtime.lookup import missing_record
from multigraft.runtime.task_options import task_options, tells_options

LOSS = ("loss", "weight")
"""What is kept of a row's loss, which follows from options too."""


class ByAnswers(RowObjective):
    """Rows of a task that says nothing of itself without torch: its answers' scores are all."""

    def __init__(self, best: Any) -> None:
        """``best`` is what the run recorded of its best validation."""
        said = best if isinstance(best, Mapping) else {}
        self.monitor = str(said.get("metric", ""))
        self.greater_is_better = bool(said.get("greater", True))


@dataclass(frozen=True)
class BundleTask:
    """A bundle, and what its rows are measured by."""

    predictor: Predictor
    task: Task
    options: Mapping[str, Any]
    metrics: Metrics[RowObjective]
    asked: Mapping[str, Any]
    """What is asked of each answer, without the defaults."""
    left: tuple[str, ...]
    """What is kept of rows and cannot be told by this bundle."""

    @property
    def notes(self) -> list[str]:
        """Say what a bundle of an earlier version does not tell."""
        if tells_options(self.predictor.bundle) or not self.task.options:
            return []
        return [
            "the bundle does not say the options of its task, as those of earlier versions: the "
            "defaults are taken, and there is no loss; export the run again"
        ]


def bundle_task(predictor: Predictor, catalog: Catalog, asked: Mapping[str, Any]) -> BundleTask:
    """Bind a bundle's task to it. Raises BundleError for one that nothing here measures without
    torch, PredictError for what its answers cannot be ``asked``."""
    bundle = predictor.bundle
    try:
        task = catalog.task(bundle.task)
    except UnknownName as error:
        raise missing_record("task", error, bundle) from error
    options = task_options(bundle, task)
    with refused_as(BundleError, f"the targets of task {bundle.task!r} measure no rows"):
        objective = _objective(predictor, task, options)
    answers = predictor.maker if task.answers is not None and scores(predictor.maker) else None
    metrics = Metrics(objective, answers, predictor.writer)
    return BundleTask(
        predictor,
        task,
        options,
        metrics,
        given_asks(_asks(predictor, metrics), asked, task=bundle.task),
        left=() if tells_options(bundle) or not task.options else LOSS,
    )


def _objective(predictor: Predictor, task: Task, options: Mapping[str, Any]) -> RowObjective:
    bundle = predictor.bundle
    if task.row_objective is None:
        if task.answers is None or not scores(predictor.maker):
            raise BundleError(_refused(task))
        return ByAnswers(bundle.facts.get("best"))
    generation = bundle.generation
    brief = RowBrief(
        reader=predictor.reader,
        targets=bundle.targets,
        options=options,
        modality=bundle.modality,
        room=None if generation is None else generation.max_length - len(generation.start),
        serve=lambda row: _served(predictor, row),
    )
    return task.row_objective(brief)


def _served(predictor: Predictor, row: Arrays) -> Arrays:
    (outputs,) = predictor.row_outputs([row])
    return outputs


def _refused(task: Task) -> str:
    run = "evaluate its run, with torch: multigraft evaluate RUN --data FILE"
    if task.stage == "pretrain":
        return (
            f"task {task.name!r} pretrains: its bundle gives embeddings or texts, which no rows of "
            f"a table judge; {run}"
        )
    return (
        f"task {task.name!r} is measured by its objective alone, which needs torch: {run}; or let "
        "the task's plugin give answers with scores, or a row_objective (docs/plugins/hooks.md)"
    )


def _asks(predictor: Predictor, metrics: Metrics[RowObjective]) -> Mapping[str, Option]:
    """What may be asked, as of a run: of answers without scores what changes their metrics, the
    mean with the mirror image; nothing of what writes texts."""
    if predictor.writer is not None:
        return {}
    asks = predictor.asks
    if metrics.answers is not None:
        return asks
    return {FLIP: asks[FLIP]} if FLIP in asks else {}
