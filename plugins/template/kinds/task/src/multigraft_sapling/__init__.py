"""A task for multigraft: a number for each row. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Sequence

import multigraft as mg
from multigraft_sapling import answers

requires_multigraft = ">=0.1,<0.2"


@mg.hookimpl
def register_tasks() -> Sequence[mg.Task]:
    """Regression on the column ``target``, for every modality."""
    return [
        mg.Task(
            name="sapling",
            stage="finetune",
            modalities=("text", "image", "audio"),
            columns=("target",),
            targets=answers.describe,
            objective=mg.Lazy("multigraft_sapling.objective:Regression"),
            answers=answers.Numbers,
            samples=answers.samples,
            options={
                "dropout": mg.Option(
                    default=0.1, low=0, high=0.9, help="in front of the last layer"
                )
            },
        )
    ]
