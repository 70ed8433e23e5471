"""Hook specifications: six nouns to register, four verbs to answer, two moments to watch.

A plugin is a module or an object with functions marked ``@multigraft.hookimpl`` under the names
below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.records import Backbone, Modality, Strategy, Task

if TYPE_CHECKING:
    from multigraft.contracts.report import Report
    from multigraft.contracts.run_view import RunView

PROJECT = "multigraft"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_modalities() -> Sequence[Modality]:  # type: ignore[empty-body]
    """Give the modalities this plugin brings. Called once, when the plugin is admitted; must be
    cheap."""


@hookspec
def register_backbones() -> Sequence[Backbone]:  # type: ignore[empty-body]
    """Give the backbones this plugin brings. Called once; must not import torch (see
    `mg.Lazy`)."""


@hookspec
def register_tasks() -> Sequence[Task]:  # type: ignore[empty-body]
    """Give the tasks this plugin brings, pretraining objectives included. Called once; must be
    cheap."""


@hookspec
def register_strategies() -> Sequence[Strategy]:  # type: ignore[empty-body]
    """Give the strategies this plugin brings. Called once; must be cheap."""


@hookspec
def register_formats() -> Sequence[Format]:  # type: ignore[empty-body]
    """Give the file formats this plugin brings. Called once; must be cheap."""


@hookspec
def register_filters() -> Sequence[Filter]:  # type: ignore[empty-body]
    """Give the filters this plugin brings, by which `multigraft prepare` cleans a corpus. Called
    once; must be cheap."""


@hookspec
def register_explainers() -> Sequence[Explainer]:  # type: ignore[empty-body]
    """Give the ways to explain an answer this plugin brings. Called once; must be cheap."""


@hookspec(firstresult=True)
def pretrain(run: RunView) -> Report:  # type: ignore[empty-body]
    """Train a run whose task is of the stage ``pretrain``.

    The run is complete: model, data and plan are built. Answer with a `Report` to replace the
    engine's loop, with None to let the next plugin answer; wrap it (``hookimpl(wrapper=True)``) to
    add before and after.
    """


@hookspec(firstresult=True)
def finetune(run: RunView) -> Report:  # type: ignore[empty-body]
    """Train a run whose task is of the stage ``finetune``. The same contract as `pretrain`."""


@hookspec(firstresult=True)
def evaluate(run: RunView) -> Report:  # type: ignore[empty-body]
    """Measure a trained run on its held-out rows; None lets the next plugin answer.

    Called for a person's own request only: the validation inside training is no hook call.
    """


@hookspec(firstresult=True)
def export(run: RunView) -> Report:  # type: ignore[empty-body]
    """Write the run's bundle; None lets the next plugin answer. The report names the folder."""


@hookspec
def step_end(run: RunView, step: int, logs: Mapping[str, float]) -> None:
    """Watch the end of an optimizer step: ``step`` counts from 1, ``logs`` holds loss and rate.

    May set ``run.stop`` to a reason, which ends training after this step. Must not change the
    model.
    """


@hookspec
def epoch_end(run: RunView, epoch: int, metrics: Mapping[str, float]) -> None:
    """Watch the end of an epoch: ``epoch`` counts from 1, ``metrics`` are the validation's.

    May set ``run.stop`` to a reason, which ends training after this epoch.
    """
