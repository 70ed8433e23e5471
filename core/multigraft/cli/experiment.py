"""``experiment``, ``experiment show``: grids of runs, and what they say."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from multigraft.cli import FAILED
from multigraft.cli.shell import AsJson, Shell, command

if TYPE_CHECKING:
    from multigraft.experiments import Experiment
    from multigraft.experiments.plan import Plan

RUN = "run"
HEADINGS = {"markdown": "**{}**\n", "latex": "% {}", "csv": "# {}"}
"""What stands over each of several tables."""
File = Annotated[Path, typer.Argument(metavar="GRID", help="A grid file, YAML or JSON.")]
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="An experiment's folder.", show_default=False)
]
Out = Annotated[
    Path | None, typer.Option("--out", help="The experiment's folder.", show_default=False)
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that train cells side by side.", show_default=False),
]
Retry = Annotated[bool, typer.Option("--retry", help="Take up cells again that failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the cells, and train none.")]
EngineName = Annotated[
    Literal["processes", "ray"],
    typer.Option("--engine", help="What trains the cells: this machine, or a cluster of Ray."),
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Of Ray's cluster, as auto.", show_default="a new one here"),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="Where cells lie while they are made, for machines that share no disk.",
        show_default="the experiment's folder",
    ),
]
Form = Annotated[
    Literal["markdown", "latex", "csv"], typer.Option("--format", help="How tables are written.")
]
Only = Annotated[
    str | None,
    typer.Option("--only", help="The table that is called so, or begins so.", show_default="all"),
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")]
AsCsv = Annotated[
    bool, typer.Option("--csv", help="Print a row for each cell, domain and metric, as CSV.")
]


class _RunsByDefault(TyperGroup):
    """A group whose first command need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [RUN, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def build() -> typer.Typer:
    """The group ``experiment``, whose own name runs a grid."""
    group = typer.Typer(
        cls=_RunsByDefault,
        name="experiment",
        help="Train a grid of runs over domains, backbones, strategies, seeds; say what is real.",
        no_args_is_help=True,
    )
    group.command(RUN)(command(run))
    group.command("show")(command(show))
    group.command("table")(command(table))
    return group


def run(
    shell: Shell,
    grid: File,
    *,
    out: Out = None,
    workers: Workers = None,
    engine: EngineName = "processes",
    address: Address = None,
    storage: Storage = None,
    retry: Retry = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Compute what is missing of an experiment; the word run may be left out.

    Exit code 1 where a cell failed.
    """
    from multigraft.experiments.driver import experiment, prepared, waiting
    from multigraft.experiments.plan import read_plan
    from multigraft.experiments.progress import line_of
    from multigraft.plugins.catalog import Catalog

    plan = read_plan(grid, Catalog())
    found = prepared(plan, grid, out)
    left = [each.key for each in waiting(found, plan, retry=retry)]
    searches = [each.name for each in plan.studies]
    if dry_run and as_json:
        cells = [cell.key for cell in found.cells]
        told = {"folder": str(found.folder), "cells": cells, "to_compute": left}
        shell.say_json(told | ({"searches": searches} if searches else {}))
        return
    shell.tell(_told(found, plan, len(left)))
    if dry_run:
        for name in [*(f"search of {each}" for each in searches), *left]:
            shell.say(name)
        return
    try:
        made = experiment(
            grid,
            output=out,
            workers=workers,
            engine=engine,
            address=address,
            storage=storage,
            retry=retry,
            tell=lambda update: shell.tell(line_of(update)),
        )
    except KeyboardInterrupt:
        shell.tell("go on with the same command")
        raise
    _show(shell, made, as_json=as_json)
    if made.problems:
        shell.tell(f"{len(made.problems)} cells failed; try them again with --retry")
        raise typer.Exit(FAILED)


def _told(found: Experiment, plan: Plan, left: int) -> str:
    """What is going to be computed, in a line."""
    where = f" on {', '.join(found.domains)}" if found.domains else ""
    cells = f"{len(plan.runs)} cells, {left} to compute, tested{where}"
    if plan.grid.search is None:
        return f"{found.folder}: {cells}"
    chosen = sum(len(each.finals) for each in plan.studies)
    return (
        f"{found.folder}: {len(plan.studies)} x {plan.grid.search.trials} trials, judged by "
        f"validation rows; then {chosen} cells with the best of them, and {cells}"
    )


def show(
    shell: Shell,
    folder: Folder,
    *,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    as_csv: AsCsv = False,
) -> None:
    """Show what an experiment's cells measured, also while it is being computed."""
    from multigraft.experiments import Experiment

    if as_json + as_markdown + as_csv > 1:
        raise typer.BadParameter("--json, --markdown and --csv are one or the other")
    found = Experiment.open(folder)
    if as_csv:
        shell.say(_csv(found).rstrip("\n"))
    elif as_markdown:
        from multigraft.evaluation.report.formats import markdown

        for title, table in found.report().tables.items():
            shell.say(f"**{title}**\n\n{markdown(table)}")
    else:
        _show(shell, found, as_json=as_json)


def table(shell: Shell, folder: Folder, *, form: Form = "markdown", only: Only = None) -> None:
    """Print the leaderboard, the matrices and the comparisons for a paper or a spreadsheet."""
    from multigraft.errors import RunError, did_you_mean
    from multigraft.evaluation.report.formats import FORMATS
    from multigraft.experiments import Experiment

    tables = Experiment.open(folder).report().tables
    wanted = {name: rows for name, rows in tables.items() if name.startswith(only or "")}
    if not wanted:
        hint = did_you_mean(only or "", tables) if tables else "nothing was measured yet"
        raise RunError(f"{folder}: has no table {only!r}; {hint}")
    for place, (name, rows) in enumerate(wanted.items()):
        if len(wanted) > 1:
            shell.say(("\n" if place else "") + HEADINGS[form].format(name))
        shell.say(FORMATS[form](rows).rstrip("\n"))


def _show(shell: Shell, found: Experiment, *, as_json: bool) -> None:
    from multigraft.cli.train import show_report

    if as_json:
        shell.say_json(
            {
                "folder": str(found.folder),
                "cells": [cell.key for cell in found.cells],
                "failed": found.problems,
                "rows": found.rows(),
                "report": found.report().to_dict(),
            }
        )
        return
    show_report(shell, found.report(), as_json=False)


def _csv(found: Experiment) -> str:
    rows, text = found.rows(), io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["cell"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
