"""``evaluate``: a run, or a bundle without torch, to numbers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli.asks import Ask, named_values
from multigraft.cli.bundle import OnePrecision, held
from multigraft.cli.predict_file import shown_progress
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import Columns, named_columns, opened, show_report

if TYPE_CHECKING:
    from multigraft.contracts.report import Report


class SplitChoice(StrEnum):
    """The rows a run can be measured on."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


SplitName = Annotated[
    SplitChoice | None,
    typer.Option("--split", help="Which rows; the recipe's by default.", show_default=False),
]
OtherData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Measure on this instead: file, folder or hub name. Repeatable, for a table.",
        show_default=False,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name", help="What its report is kept under; one for each --data.", show_default=False
    ),
]
RowsFile = Annotated[
    Path | None,
    typer.Option(
        "--rows",
        metavar="FILE",
        help="Write the answer to each row: .jsonl, .csv or .parquet.",
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="COLUMN",
        help="Tell the metric by the values of a column too, as domain, and of the worst.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|BUNDLE",
        help="A run's folder, or a bundle; that needs --data and no torch.",
        show_default=False,
    ),
]


def evaluate(
    shell: Shell,
    model: Model,
    *,
    data: OtherData = None,
    split: SplitName = None,
    name: Names = None,
    columns: Columns = None,
    rows: RowsFile = None,
    groups: Groups = None,
    ask: Ask = None,
    precision: OnePrecision = None,
    as_json: AsJson = False,
) -> None:
    """Measure a trained run on rows it has not learned from, its own or other data; or a bundle on
    rows of a table, without torch.

    With --precision the bundle of a run is measured.
    """
    from multigraft.evaluation.other_sources import sources_of
    from multigraft.runtime.bundle import MANIFEST

    chosen = None if split is None else split.value
    sources = sources_of(data or (), name or (), chosen)
    asking: dict[str, Any] = {
        "columns": named_columns(columns or ()),
        "split": chosen,
        "rows": rows,
        "asked": named_values(ask or []),
        "groups": groups,
    }
    if precision is None and not (model / MANIFEST).exists():
        report = opened(shell, model).evaluate(sources or None, **asking)
    else:
        wanted = None if precision is None else precision.value
        report = _of_bundle(shell, model, sources, precision=wanted, **asking)
    show_report(shell, report, as_json=as_json)


def _of_bundle(
    shell: Shell, folder: Path, sources: dict[str, str], *, precision: str | None, **asking: Any
) -> Report:
    from multigraft.evaluation.bundle.evaluate import evaluate as measured
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import load

    if not sources:
        raise typer.BadParameter(
            "a bundle holds no rows: give some with --data FILE, or measure the run on its own"
        )
    catalog = Catalog()
    predictor = load(held(folder), precision=precision, catalog=catalog)
    return measured(predictor, sources, catalog=catalog, display=shown_progress(shell), **asking)
