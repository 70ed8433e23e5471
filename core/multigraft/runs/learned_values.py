"""What a reader's spec is learned from: the raw values of training rows, and texts that are to be
written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from multigraft.data import Table
from multigraft.recipe.resolved import ResolvedRecipe


@dataclass(frozen=True, eq=False)
class LearnedValues:
    """Raw values as the modality's `fit` gets them; they can be gone through again.

    Texts of `Task.writes` stand behind those that are read, by the name of the branch that writes
    where there is one.
    """

    resolved: ResolvedRecipe
    train: Table

    def __iter__(self) -> Iterator[Any]:
        yield from self.train.raws()
        column, writer = self.resolved.task.writes, self.resolved.writer
        if column is not None:
            for text in self.train.cells(column):
                yield {writer: text} if writer else text
