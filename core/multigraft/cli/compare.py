"""``compare`` and ``runs``: runs beside each other, and what lies in a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.shell import AsJson, Shell


class Sort(StrEnum):
    """The fields that runs are ordered by."""

    NAME = "name"
    STATE = "state"
    TASK = "task"
    BACKBONE = "backbone"
    STRATEGY = "strategy"
    DATA = "data"
    SEED = "seed"
    VALUE = "value"
    SECONDS = "seconds"


Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Folders of evaluated runs, or of folders of them.",
        show_default=False,
    ),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline", help="The run that others are compared with.", show_default="the best"
    ),
]
MetricName = Annotated[
    str | None,
    typer.Option("--metric", help="By which metric.", show_default="the task's"),
]
OtherData = Annotated[
    str | None,
    typer.Option(
        "--data", help="On other data, by the name that evaluate kept it under.", show_default=False
    ),
]
Confidence = Annotated[
    float,
    typer.Option("--confidence", min=0.5, max=0.999, help="Of the intervals."),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print it for LaTeX (booktabs).")]
Csv = Annotated[bool, typer.Option("--csv", help="Print it as CSV.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to look in.")]
SortBy = Annotated[Sort, typer.Option("--sort", help="By which field; by value the best first.")]
Reverse = Annotated[bool, typer.Option("--reverse", help="The other way round.")]


def compare(
    shell: Shell,
    runs: Folders,
    *,
    baseline: Baseline = None,
    metric: MetricName = None,
    data: OtherData = None,
    confidence: Confidence = 0.95,
    markdown: Markdown = False,
    latex: Latex = False,
    csv: Csv = False,
    as_json: AsJson = False,
) -> None:
    """Lay evaluated runs side by side on the same rows: which is best, and is the difference
    real."""
    form = _form(as_json=as_json, markdown=markdown, latex=latex, csv=csv)
    from multigraft.runs.compare_metrics import compare_metrics

    found = compare_metrics(
        runs, baseline=baseline, metric=metric, data=data, confidence=confidence
    )
    if as_json:
        shell.say_json(found.to_dict())
        return
    if form is not None:
        shell.say(found.to(form).rstrip("\n"))
        return
    from multigraft.evaluation.report.table import show

    show(found.report(), shell.out)


def runs(
    shell: Shell,
    folder: Folder = Path("runs"),
    *,
    sort: SortBy = Sort.NAME,
    reverse: Reverse = False,
    markdown: Markdown = False,
    latex: Latex = False,
    csv: Csv = False,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder: what each is, how good, how long it took, and its state."""
    form = _form(as_json=as_json, markdown=markdown, latex=latex, csv=csv)
    from multigraft.runs.listing import listed_runs, listing_report, listing_table

    found = listed_runs(folder, sort=sort.value, reverse=reverse)
    if as_json:
        shell.say_json([each.to_dict() for each in found])
        return
    if form is not None:
        from multigraft.evaluation.report.formats import FORMATS

        shell.say(FORMATS[form](listing_table(found)).rstrip("\n"))
        return
    from multigraft.evaluation.report.table import show

    show(listing_report(found, folder), shell.out)


def _form(*, as_json: bool, **forms: bool) -> str | None:
    """The one form that is asked for; None: JSON, or a table for people."""
    asked = [name for name, wanted in forms.items() if wanted]
    if len(asked) + as_json > 1:
        raise typer.BadParameter("--json, --markdown, --latex and --csv: give one of them")
    return asked[0] if asked else None
