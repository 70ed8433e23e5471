"""``check-plugin``: test whether a plugin keeps its contracts; print a table and findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multigraft.cli import FAILED
from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.testing import Verdict

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The plugin's entry point.", show_default=False)
]
JUnit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write JUnit XML too.", show_default=False),
]
SIGNS = {
    "passed": ("ok", "green"),
    "failed": ("FAILED", "bold red"),
    "skipped": ("skipped", "yellow"),
}


def check_plugin(shell: Shell, name: Name, junit: JUnit = None, as_json: AsJson = False) -> None:
    """Try what a plugin brings against its contracts; exit code 1 where something is to be
    mended."""
    from multigraft.testing import examine
    from multigraft.testing.junit import junit as as_junit

    verdict = examine(name)
    if junit is not None:
        junit.write_text(as_junit(verdict), encoding="utf-8")
    if as_json:
        shell.say_json(verdict.to_dict())
    else:
        shell.out.print(table(verdict))
        shell.say(verdict.text())
    if not verdict.passed:
        raise typer.Exit(FAILED)


def table(verdict: Verdict) -> Table:
    """One line for each check of each record."""
    from rich import box
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("record", "check", "state", "seconds", ""):
        shown.add_column(
            heading, overflow="fold", justify="right" if heading == "seconds" else "left"
        )
    before = ""
    for outcome in verdict.outcomes:
        record = "" if outcome.record == before else outcome.record
        before = outcome.record
        said, style = SIGNS[outcome.state]
        note = outcome.reason or (
            outcome.findings[0].what.splitlines()[0] if outcome.findings else ""
        )
        shown.add_row(
            words(record, "bold"),
            words(outcome.check),
            words(said, style),
            f"{outcome.seconds:.2f}",
            words(note, "dim"),
        )
    return shown
