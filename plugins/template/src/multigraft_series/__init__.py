"""Series of numbers: what this plugin brings, as records. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import multigraft as mg
from multigraft.models.tasks import classification_task

requires_multigraft = ">=0.1,<0.2"


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> dict[str, Any]:
    """The reader these weights expect. This network has no wishes, so the recipe decides."""
    return {"kind": "series", "longest": options.get("longest", 256)}


@mg.hookimpl
def register_modalities() -> Sequence[mg.Modality]:
    """Raw values from a column ``series``."""
    return [
        mg.Modality(
            name="series",
            reader=mg.Lazy("multigraft_series.reader:SeriesReader"),
            columns=("series",),
            likeness=mg.Likeness(
                sketch=mg.Lazy("multigraft_series.likeness:sketch"), near=0.9, flaws=("constant",)
            ),
            samples=mg.Samples(
                good=mg.Lazy("multigraft_series.samples:good"),
                bad=mg.Lazy("multigraft_series.samples:bad"),
            ),
            options={
                "longest": mg.Option(default=256, low=1, help="numbers that are read of a series")
            },
        )
    ]


@mg.hookimpl
def register_backbones() -> Sequence[mg.Backbone]:
    """A temporal convolutional network in two sizes."""
    return [
        mg.Backbone(
            name="tcn",
            modality="series",
            sizes={
                "tiny": mg.Size(config={"width": 8, "depth": 2}),
                "small": mg.Size(config={"width": 64, "depth": 6}),
            },
            build=mg.Lazy("multigraft_series.network:build"),
            reader=reader_spec,
        )
    ]


@mg.hookimpl
def register_tasks() -> Sequence[mg.Task]:
    """One task to pretrain with, one to finetune for."""
    return [
        classification_task("series-classification", "series"),
        mg.Task(
            name="series-denoising",
            stage="pretrain",
            modalities=("series",),
            objective=mg.Lazy("multigraft_series.denoising:Denoising"),
            options={
                "hidden": mg.Option(default=0.3, low=0.05, high=0.9, help="share that is hidden")
            },
        ),
    ]
