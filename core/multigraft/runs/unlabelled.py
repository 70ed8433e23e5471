"""Rows without targets: read as a run reads its own, for what a backbone gives of them."""

from __future__ import annotations

from torch import nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.contracts.records import Task
from multigraft.data import Rows, gathered_as, source_table
from multigraft.recipe.data_fields import Sources
from multigraft.runs.run import Run


class NoTargets(Objective):
    """Asks nothing of a row but its raw value, and learns nothing."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief | None = None) -> None:
        del brief

    def head(self) -> nn.Module:
        """The pooled features as they are."""
        return _Pooled()

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Nothing: no row weighs anything."""
        nothing = outputs["embedding"].new_zeros(len(outputs["embedding"]))
        return RowLoss(nothing, nothing)


class _Pooled(nn.Module):
    def forward(self, features: Features, batch: Batch) -> Outputs:
        return {"embedding": features.pooled}


def without_targets(task: Task) -> Task:
    """A task of the same name that asks nothing of a row but its raw value."""
    return Task(name=task.name, stage="pretrain", modalities=(), several=True, objective=NoTargets)


def unlabelled_rows(run: Run, source: Sources, name: str) -> Rows:
    """The rows of another source by the run's reader and names of columns; no target is needed.

    Raises DataError where more of them are bad than the recipe allows of its own.
    """
    data, own = run.recipe.data, run.resolved.modality.columns
    named = {ours: theirs for ours, theirs in data.columns.items() if ours in own}
    table = source_table(
        source,
        gathered_as(data.model_copy(update={"columns": named}), run.rows["train"].table),
        modality=run.resolved.modality,
        task_columns=(),
        split="train",
        formats=run.catalog.formats(),
    )
    return Rows.audit(
        table,
        run.reader,
        NoTargets(),
        allowed_bad=run.recipe.data.bad_share,
        name=name,
        seed=run.recipe.seed,
    )
