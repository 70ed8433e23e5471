"""Tasks that more than one modality shares; importing them imports no torch."""

from multigraft.tasks.records import classification_task

__all__ = ["classification_task"]
