"""Pretrain, finetune, evaluate and ship models for text, vision and speech.

>>> import multigraft as mg  # doctest: +SKIP
>>> run = mg.finetune(  # doctest: +SKIP
...     task="text-classification", backbone="bert-base", data="reviews.csv"
... )
>>> run.evaluate(), run.export()                                             # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from multigraft.system.about import __version__

if TYPE_CHECKING:
    from multigraft.api import (
        compare,
        finetune,
        list_runs,
        open_run,
        pretrain,
        rerun,
        resume,
    )
    from multigraft.choosing import choose, domain_distance
    from multigraft.contracts.answers import Answers, Window
    from multigraft.contracts.explaining import Attribution, Explainer
    from multigraft.contracts.features import (
        BackboneModule,
        Features,
        Level,
        Patches,
        SharedSpace,
    )
    from multigraft.contracts.filters import Dropped, Filter
    from multigraft.contracts.formats import Chunk, Format, Layout, Parsed
    from multigraft.contracts.generation import Generating, NewTokens, Writing, WrittenMetric
    from multigraft.contracts.lazy import Lazy
    from multigraft.contracts.objectives import Brief, Objective, RowLoss
    from multigraft.contracts.padding import Fill
    from multigraft.contracts.previews import Preview
    from multigraft.contracts.records import (
        Backbone,
        Likeness,
        Modality,
        Option,
        Origin,
        Size,
        Strategy,
        Task,
    )
    from multigraft.contracts.report import Measure, Report
    from multigraft.contracts.row_objectives import RowBrief, RowObjective
    from multigraft.contracts.samples import Samples, Trial
    from multigraft.contracts.units import Units
    from multigraft.contracts.web import NpmPackage, WebReader
    from multigraft.engine import Engine
    from multigraft.errors import MultigraftError, RowError, WeightsError
    from multigraft.evaluation.bundle.evaluate import evaluate
    from multigraft.evaluation.file_answers.answer_file import predict_file
    from multigraft.experiments import Experiment, experiment
    from multigraft.plugins.catalog import Catalog
    from multigraft.plugins.hookspecs import hookimpl
    from multigraft.preparing import Prepared, prepare
    from multigraft.recipe import Recipe
    from multigraft.runs.run import Run
    from multigraft.runtime import Gallery, Predictor, load
    from multigraft.runtime.explain.explanation import Explanation
    from multigraft.training.doubts import doubt_labels

# Names are imported when they are first used, so that `import multigraft` costs a deployer nothing.
_HOMES = {
    "api": (
        *("compare", "finetune", "list_runs", "open_run"),
        *("pretrain", "rerun", "resume"),
    ),
    "choosing": ("choose", "domain_distance"),
    "plugins.catalog": ("Catalog",),
    "engine": ("Engine",),
    "experiments": ("Experiment", "experiment"),
    "errors": ("MultigraftError", "RowError", "WeightsError"),
    "contracts.answers": ("Answers", "Window"),
    "contracts.explaining": ("Attribution", "Explainer"),
    "contracts.features": ("BackboneModule", "Features", "Level", "Patches", "SharedSpace"),
    "contracts.filters": ("Dropped", "Filter"),
    "contracts.formats": ("Chunk", "Format", "Layout", "Parsed"),
    "contracts.generation": ("Generating", "NewTokens", "Writing", "WrittenMetric"),
    "plugins.hookspecs": ("hookimpl",),
    "contracts.objectives": ("Brief", "Objective", "RowLoss"),
    "preparing": ("Prepared", "prepare"),
    "recipe": ("Recipe",),
    "contracts.lazy": ("Lazy",),
    "contracts.records": (
        *("Backbone", "Likeness", "Modality", "Option", "Origin"),
        *("Size", "Strategy", "Task"),
    ),
    "contracts.previews": ("Preview",),
    "contracts.report": ("Measure", "Report"),
    "runs.run": ("Run",),
    "contracts.padding": ("Fill",),
    "contracts.row_objectives": ("RowBrief", "RowObjective"),
    "evaluation.bundle.evaluate": ("evaluate",),
    "evaluation.file_answers.answer_file": ("predict_file",),
    "runtime": ("Gallery", "Predictor", "load"),
    "runtime.explain.explanation": ("Explanation",),
    "training.doubts": ("doubt_labels",),
    "contracts.samples": ("Samples", "Trial"),
    "contracts.units": ("Units",),
    "contracts.web": ("NpmPackage", "WebReader"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answers",
    "Attribution",
    "Backbone",
    "BackboneModule",
    "Brief",
    "Catalog",
    "Chunk",
    "Dropped",
    "Engine",
    "Experiment",
    "Explainer",
    "Explanation",
    "Features",
    "Fill",
    "Filter",
    "Format",
    "Gallery",
    "Generating",
    "Layout",
    "Lazy",
    "Level",
    "Likeness",
    "Measure",
    "Modality",
    "MultigraftError",
    "NewTokens",
    "NpmPackage",
    "Objective",
    "Option",
    "Origin",
    "Parsed",
    "Patches",
    "Predictor",
    "Prepared",
    "Preview",
    "Recipe",
    "Report",
    "RowBrief",
    "RowError",
    "RowLoss",
    "RowObjective",
    "Run",
    "Samples",
    "SharedSpace",
    "Size",
    "Strategy",
    "Task",
    "Trial",
    "Units",
    "WebReader",
    "WeightsError",
    "Window",
    "Writing",
    "WrittenMetric",
    "__version__",
    "choose",
    "compare",
    "domain_distance",
    "doubt_labels",
    "evaluate",
    "experiment",
    "finetune",
    "hookimpl",
    "list_runs",
    "load",
    "open_run",
    "predict_file",
    "prepare",
    "pretrain",
    "rerun",
    "resume",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'multigraft' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"multigraft.{_HOME_OF[name]}"), name)
    except (ImportError, SystemError, MemoryError) as error:
        from multigraft.errors import import_failure

        raise import_failure(error) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
