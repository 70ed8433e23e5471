"""``doubts``: the rows of a run whose labels are likely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multigraft.cli.evaluate import SplitChoice
from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from multigraft.training.doubts import DoubtedRow

PAIRS = 3
"""Pairs of given and likely label that are told."""
PATH = 40
"""Characters of a path that are shown."""
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]
OfSplit = Annotated[SplitChoice, typer.Option("--split", help="The rows whose labels are doubted.")]
Folds = Annotated[int, typer.Option(min=2, max=100, help="Folds of the cross-validation.")]
Into = Annotated[
    Path | None,
    typer.Option("--into", help="A CSV file of all rows, the most doubtful first."),
]
Count = Annotated[int, typer.Option("--count", min=1, help="The most rows that are shown.")]


def doubts(
    shell: Shell,
    run: Folder,
    *,
    split: OfSplit = SplitChoice.TRAIN,
    folds: Folds = 5,
    into: Into = None,
    count: Count = 20,
    as_json: AsJson = False,
) -> None:
    """Name the rows whose labels are likely wrong, by a cross-validated probe on the run's
    features."""
    from multigraft.api import open_run
    from multigraft.evaluation.row_answers import check_new_file
    from multigraft.training.doubts import doubt_labels

    if into is not None:
        check_new_file(into)
    found = doubt_labels(open_run(run, quiet=shell.quiet), split=split.value, folds=folds)
    if into is not None:
        found.write(into)
    if as_json:
        told = {**asdict(found), "left_out": dict(found.left_out), "exchanged": found.exchanged}
        shell.say_json(told)
        return
    _show(shell, found.doubted[:count])
    shell.say(f"{len(found.doubted):,} of {len(found.rows):,} labels are doubtful")
    for given, likely, many in found.exchanged[:PAIRS]:
        shell.say(f"  {many:,} given {given!r}, likely {likely!r}")
    shell.say(
        f"the probe agrees with {found.agreement:.0%} of the labels: the less it does, the more of "
        "these are its own mistakes"
    )
    for label, count_of in found.left_out.items():
        shell.tell(f"left out: {label!r}, of which fewer than {folds} rows are there ({count_of})")
    if into is not None:
        shell.tell(f"all rows: {into}")


def _show(shell: Shell, rows: Sequence[DoubtedRow]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("row", "given", "likely", "score", "value"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row.row, row.given, row.likely, f"{row.score:.3f}", _short(row.value))
    shell.out.print(table)


def _short(value: str) -> str:
    """The end of a long path, which is what tells files apart; any other value as it is."""
    whole = len(value) > PATH and "/" in value and " " not in value
    return f"...{value[-PATH:]}" if whole else value
