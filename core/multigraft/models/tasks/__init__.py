"""Tasks that more than one modality shares; importing them imports no torch."""

from __future__ import annotations

from multigraft.contracts.records import Task
from multigraft.models.tasks.captioning.task import captioning_task
from multigraft.models.tasks.contrastive.task import contrastive_task
from multigraft.models.tasks.label_sets import multilabel_task
from multigraft.models.tasks.numbers import regression_task
from multigraft.models.tasks.shared import classification_task

__all__ = ["classification_task", "multilabel_task", "regression_task", "shared_tasks"]


def shared_tasks() -> tuple[Task, ...]:
    """The tasks that core registers itself: of any modality, and of several at once."""
    return (
        captioning_task("captioning"),
        classification_task("classification"),
        contrastive_task("contrastive"),
        multilabel_task("multilabel"),
        regression_task("regression"),
    )
