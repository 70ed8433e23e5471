"""``finetune``, ``pretrain``, ``resume``: recipes to runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from multigraft.cli.choices import choose
from multigraft.cli.shell import AsJson, Shell
from multigraft.system.rank import leads

if TYPE_CHECKING:
    from multigraft.contracts.report import Report
    from multigraft.runs.run import Run

LAST = "Fields"


File = Annotated[
    Path | None,
    typer.Argument(metavar="RECIPE", help="A recipe file, YAML or JSON.", show_default=False),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any field, as training.epochs=3. Repeatable, wins last.",
    ),
]
TaskName = Annotated[
    str | None, typer.Option("--task", help="What is learned.", rich_help_panel=LAST)
]
BackboneName = Annotated[
    str | None, typer.Option("--backbone", help="What it is learned with.", rich_help_panel=LAST)
]
DataPath = Annotated[
    str | None,
    typer.Option("--data", help="Training rows: file, folder or hub name.", rich_help_panel=LAST),
]
Weights = Annotated[
    str | None,
    typer.Option("--weights", help="scratch, a folder, a run, a hub name.", rich_help_panel=LAST),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy", help="Which parameters learn. Repeatable, in order.", rich_help_panel=LAST
    ),
]
Epochs = Annotated[
    float | None, typer.Option("--epochs", help="Passes over the rows.", rich_help_panel=LAST)
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", help="Rows in one step.", rich_help_panel=LAST)
]
LearningRate = Annotated[
    float | None, typer.Option("--learning-rate", help="The peak rate.", rich_help_panel=LAST)
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="All randomness follows from it.", rich_help_panel=LAST)
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Show curves in csv, tensorboard or mlflow besides. Repeatable.",
        rich_help_panel=LAST,
        show_default=False,
    ),
]
Out = Annotated[str | None, typer.Option("--out", help="The run's folder.", rich_help_panel=LAST)]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="OURS=THEIRS",
        help="A column's name in the data, as text=review; the recipe's by default. Repeatable.",
        show_default=False,
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)
]


def trainer(verb: Literal["finetune", "pretrain"]) -> Callable[..., None]:
    """The command of a training verb; both take the same flags."""

    def train(
        shell: Shell,
        recipe: File = None,
        *,
        assignments: Assignments = None,
        task: TaskName = None,
        backbone: BackboneName = None,
        data: DataPath = None,
        weights: Weights = None,
        strategy: Strategies = None,
        epochs: Epochs = None,
        batch_size: BatchSize = None,
        learning_rate: LearningRate = None,
        seed: Seed = None,
        track: Track = None,
        out: Out = None,
        as_json: AsJson = False,
    ) -> None:
        flags = {
            "task": task,
            "backbone": backbone,
            "backbone.weights": weights,
            "data.train": data,
            "strategy": strategy or None,
            "training.epochs": epochs,
            "training.batch_size": batch_size,
            "training.learning_rate": learning_rate,
            "seed": seed,
            "track": track or None,
            "output": out,
        }
        from multigraft.plugins.catalog import Catalog

        catalog = Catalog()
        # before what trains is imported: a mistake in a recipe is told at once
        chosen = choose(recipe, flags, assignments or (), catalog=catalog)
        from multigraft.engine import Engine

        _train(
            shell,
            lambda plugins: Engine(plugins, catalog=catalog).start(chosen, verb),
            as_json=as_json,
        )

    return train


def resume(shell: Shell, run: RunFolder, as_json: AsJson = False) -> None:
    """Go on with a run that was stopped, from its last checkpoint."""
    from multigraft import api

    _train(shell, lambda plugins: api.resume(run, plugins=plugins, quiet=True), as_json=as_json)


def opened(shell: Shell, folder: Path) -> Run:
    """A trained run, whose verbs show on this console what they are at."""
    from multigraft import api
    from multigraft.training.callbacks.progress import Progress

    run = api.open_run(folder, quiet=True)
    if leads() and not shell.quiet:
        run.display = Progress(shell.err)
    return run


def named_columns(assignments: Sequence[str]) -> dict[str, str]:
    """What ``--columns`` gives: our names of columns, and theirs."""
    found = {}
    for assignment in assignments:
        ours, equals, theirs = assignment.partition("=")
        if not ours or not equals:
            raise typer.BadParameter(f"--columns {assignment!r} must look like text=review")
        found[ours] = theirs
    return found


def with_settings(run: Run, section: str, **changes: Any) -> Run:
    """The run with a section of its recipe changed, in memory only."""
    settings = getattr(run.recipe, section).model_copy(update=changes)
    return replace(run, recipe=run.recipe.model_copy(update={section: settings}))


def show_report(shell: Shell, report: Report, *, as_json: bool) -> None:
    """Print a verb's answer."""
    if as_json:
        shell.say_json(report.to_dict())
        return
    from multigraft.evaluation.report.table import show

    show(report, shell.out)


def _train(shell: Shell, verb: Callable[[Sequence[object]], Run], *, as_json: bool) -> None:
    """Run a verb under a progress bar and show its answer; under torchrun only one process does."""
    from multigraft.system.resume_command import resume_command
    from multigraft.training.callbacks.progress import Progress

    with Progress(shell.err) as progress:
        try:
            run = verb([progress] if leads() and not shell.quiet else [])
        except KeyboardInterrupt:
            if progress.folder is not None:
                shell.tell(f"go on with: {resume_command(progress.folder)}")
            raise
    if not leads():
        return
    if as_json:
        report = None if run.report is None else run.report.to_dict()
        shell.say_json({"run": str(run.folder), "stopped": run.stop, "report": report})
        return
    _show_run(shell, run)


def _show_run(shell: Shell, run: Run) -> None:
    if run.report is not None:
        show_report(shell, run.report, as_json=False)
    if run.stop:
        shell.tell(f"stopped early: {run.stop}")
    shell.tell(f"run: {run.folder}")
    shell.tell(f"next: multigraft evaluate {run.folder}, multigraft export {run.folder}")
