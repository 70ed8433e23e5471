"""Tasks that more than one modality shares; importing them imports no torch."""

from multigraft.models.tasks.label_sets import multilabel_task
from multigraft.models.tasks.numbers import regression_task
from multigraft.models.tasks.shared import classification_task, shared_tasks

__all__ = ["classification_task", "multilabel_task", "regression_task", "shared_tasks"]
