"""The Python face: a recipe in, a run out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, Unpack

from multigraft.contracts.display import UNSEEN, Display
from multigraft.engine import Engine
from multigraft.errors import RecipeError
from multigraft.recipe import Recipe, read_mapping
from multigraft.runs.compare import Comparison
from multigraft.runs.compare_metrics import MetricComparison, compare_metrics
from multigraft.runs.listing import RunList, listed_runs
from multigraft.runs.row_results import results_file
from multigraft.runs.run import Run
from multigraft.training.callbacks.progress import Progress, usual_progress

Source = Recipe | Mapping[str, Any] | str | Path
Named = str | Mapping[str, Any]


class Fields(TypedDict, total=False):
    """The fields of a `Recipe`, as they are written in one."""

    task: Named
    backbone: Named
    data: Any
    """A path or several, a section, or rows themselves: a list of mappings, a mapping of columns, a
    table, a data set."""
    strategy: Named | Sequence[Named]
    reader: Mapping[str, Any]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    export: Mapping[str, Any]
    track: str | Sequence[str]
    seed: int
    output: str | Path


def pretrain(
    recipe: Source | None = None,
    *,
    plugins: Sequence[object] = (),
    quiet: bool = False,
    **fields: Unpack[Fields],
) -> Run:
    """Train a backbone on unlabelled rows. Give a recipe, or its fields, or both: the fields win.

    ``plugins`` are plugin objects for this run alone, callbacks among them. Where stderr is a
    terminal, and in a notebook, a bar shows the progress of this and of the run's further verbs,
    unless ``quiet``. The run that comes back
    is trained: ``run.evaluate()``, ``run.export()``, and its folder as another recipe's
    ``weights``.
    """
    raw, source = raw_recipe(recipe, fields)
    with _shown(plugins, quiet=quiet) as (display, watching):
        run = Engine(watching).start(raw, "pretrain", source=source)
    run.display = display
    return run


def finetune(
    recipe: Source | None = None,
    *,
    plugins: Sequence[object] = (),
    quiet: bool = False,
    **fields: Unpack[Fields],
) -> Run:
    """Train a pretrained backbone, or a new one, for a task on labelled rows. Called as `pretrain`
    is."""
    raw, source = raw_recipe(recipe, fields)
    with _shown(plugins, quiet=quiet) as (display, watching):
        run = Engine(watching).start(raw, "finetune", source=source)
    run.display = display
    return run


def resume(folder: str | Path, *, plugins: Sequence[object] = (), quiet: bool = False) -> Run:
    """Resume an interrupted run; its weights end as if it had never been interrupted."""
    with _shown(plugins, quiet=quiet) as (display, watching):
        run = Engine(watching).resume(Path(folder))
    run.display = display
    return run


def rerun(
    folder: str | Path,
    *,
    output: str | Path | None = None,
    plugins: Sequence[object] = (),
    quiet: bool = False,
) -> Comparison:
    """Train a finished run again from its own folder, and compare weights and metrics."""
    again = None if output is None else Path(output)
    with _shown(plugins, quiet=quiet) as (_, watching):
        return Engine(watching).rerun(Path(folder), again)


def open_run(folder: str | Path, *, plugins: Sequence[object] = (), quiet: bool = False) -> Run:
    """A trained run from its folder, to evaluate or export."""
    run = Engine(plugins).open(Path(folder))
    run.display = (None if quiet else usual_progress()) or UNSEEN
    return run


def compare(
    runs: Sequence[Run | str | Path],
    *,
    baseline: Run | str | Path | None = None,
    metric: str | None = None,
    data: str | None = None,
    confidence: float = 0.95,
) -> MetricComparison:
    """Compare trained runs, or their folders, on the same held-out rows: each with an interval, and
    its difference to the ``baseline``, or else to the best, with p-values adjusted for how many
    were compared.

    ``metric`` is that of the task unless another is named; ``data`` names other data, as
    `Run.evaluate` keeps its report. Runs that differ by the seed alone are one line. A `Run` that
    was not evaluated is; of a folder that is refused. Raises RunError where tasks or rows differ.
    """
    for run in runs:
        if isinstance(run, Run) and data is None and not results_file(run.folder).exists():
            run.evaluate()
    folders = [run.folder if isinstance(run, Run) else run for run in runs]
    base = baseline.folder if isinstance(baseline, Run) else baseline
    return compare_metrics(folders, baseline=base, metric=metric, data=data, confidence=confidence)


def list_runs(folder: str | Path = "runs", *, sort: str = "name", reverse: bool = False) -> RunList:
    """The runs in a folder and in the folders in it, by one of their fields; by ``value`` the best
    of each metric first. Raises RunError where there is no such folder or field."""
    return RunList(Path(folder), tuple(listed_runs(folder, sort=sort, reverse=reverse)))


@contextmanager
def _shown(plugins: Sequence[object], *, quiet: bool) -> Iterator[tuple[Display, Sequence[object]]]:
    """The usual progress and the plugins with it; none beside one that is among them already."""
    own = any(isinstance(plugin, Progress) for plugin in plugins)
    progress = None if quiet or own else usual_progress()
    if progress is None:
        yield UNSEEN, plugins
        return
    with progress:
        yield progress, [*plugins, progress]


def raw_recipe(recipe: Source | None, fields: Fields) -> tuple[dict[str, Any], str]:
    """A recipe and the fields that replace its own, as plain data, and what to call it."""
    raw, source = _read(recipe)
    given = {
        name: str(value) if isinstance(value, Path) else value for name, value in fields.items()
    }
    return {**raw, **given}, source


def _read(recipe: Source | None) -> tuple[dict[str, Any], str]:
    if recipe is None:
        return {}, "recipe"
    if isinstance(recipe, Recipe):
        return recipe.model_dump(mode="json", exclude_unset=True), "recipe"
    if isinstance(recipe, str | Path):
        return read_mapping(Path(recipe)), str(recipe)
    if isinstance(recipe, Mapping):
        return dict(recipe), "recipe"
    raise RecipeError(
        [f"found {type(recipe).__name__}; a Recipe, a mapping or a file's path is needed"]
    )
