"""``experiment``, ``experiment show``: grids of runs, and what they say."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from multigraft.cli import FAILED
from multigraft.cli.shell import AsJson, Shell, command

if TYPE_CHECKING:
    from multigraft.experiments import Experiment

RUN = "run"
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
    return group


def run(
    shell: Shell,
    grid: File,
    *,
    out: Out = None,
    workers: Workers = None,
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
    if dry_run and as_json:
        cells = [cell.key for cell in found.cells]
        shell.say_json({"folder": str(found.folder), "cells": cells, "to_compute": left})
        return
    where = f" on {', '.join(found.domains)}" if found.domains else ""
    shell.tell(f"{found.folder}: {len(plan.runs)} cells, {len(left)} to compute, tested{where}")
    if dry_run:
        for key in left:
            shell.say(key)
        return
    try:
        made = experiment(
            grid,
            output=out,
            workers=workers,
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
