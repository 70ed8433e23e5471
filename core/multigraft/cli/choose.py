"""``choose`` and ``distance``: which backbone fits the rows, and how far two domains are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from multigraft.cli.choices import merge
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import Assignments, File, named_columns, show_report

if TYPE_CHECKING:
    from multigraft.contracts.display import Display

Among = Annotated[
    list[str] | None,
    typer.Option(
        "--among",
        metavar="BACKBONE...",
        help="Backbones to choose from: names, NAME=WEIGHTS, or a mapping in YAML.",
        show_default=False,
    ),
]
More = Annotated[
    list[str] | None,
    typer.Argument(metavar="BACKBONE...", help="Further ones.", show_default=False),
]
By = Annotated[
    str | None, typer.Option("--by", help="The score that ranks.", show_default="linear_probe")
]
Rows = Annotated[
    int, typer.Option("--rows", min=20, max=100_000, help="Rows to score on, at most.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]
First = Annotated[str, typer.Argument(metavar="FIRST", help="File, folder or hub name.")]
Second = Annotated[str, typer.Argument(metavar="SECOND", help="Another.")]
Eye = Annotated[str, typer.Option("--backbone", help="By what it sees: a name, or NAME=WEIGHTS.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="OURS=THEIRS",
        help="A column's name in the data, as text=review. Repeatable.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="By which rows are drawn.")]


def choose(
    shell: Shell,
    recipe: File = None,
    more: More = None,
    *,
    among: Among = None,
    by: By = None,
    rows: Rows = 1000,
    assignments: Assignments = None,
    markdown: Markdown = False,
    as_json: AsJson = False,
) -> None:
    """Rank backbones for a recipe before any is trained, by their frozen features of its rows."""
    if markdown and as_json:
        raise typer.BadParameter("--json and --markdown: give one of them")
    raw = merge(recipe, {}, assignments or ())
    from multigraft.choosing import choose as ranked

    names = [*(among or ()), *(more or ())]
    found = ranked(raw, among=names, by=by, rows=rows, quiet=True, display=_display(shell))
    if as_json:
        shell.say_json(found.to_dict())
    elif markdown:
        shell.say(str(found).rstrip("\n"))
    else:
        show_report(shell, found.report(), as_json=False)


def distance(
    shell: Shell,
    first: First,
    second: Second,
    *,
    backbone: Eye,
    columns: Columns = None,
    rows: Rows = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Test whether two sources of rows differ: can a classifier on frozen features tell them
    apart."""
    from multigraft.choosing import domain_distance

    found = domain_distance(
        first,
        second,
        backbone=backbone,
        columns=named_columns(columns or ()),
        rows=rows,
        seed=seed,
        quiet=True,
        display=_display(shell),
    )
    if as_json:
        shell.say_json(found.to_dict())
    else:
        show_report(shell, found.report(), as_json=False)


def _display(shell: Shell) -> Display | None:
    """Progress on this console."""
    if shell.quiet:
        return None
    from multigraft.training.callbacks.progress import Progress

    return Progress(shell.err)
