"""``export`` and ``predict``: a run becomes a folder, and the folder answers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli import FAILED
from multigraft.cli.answer_table import table
from multigraft.cli.asks import Ask, named_values
from multigraft.cli.drawing import draw
from multigraft.cli.inputs import Input, gather
from multigraft.cli.predict_file import Data, Into, Keep, fill_file
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import (
    Columns,
    RunFolder,
    named_columns,
    opened,
    show_report,
    with_settings,
)
from multigraft.errors import BundleError
from multigraft.evaluation.file_answers.bundle_tables import tables_of
from multigraft.system.resume_command import RECORD, resume_command

if TYPE_CHECKING:
    from multigraft.runtime import Predictor


class Precision(StrEnum):
    """The number formats a bundle may hold."""

    FP32 = "fp32"
    INT8 = "int8"
    FP16 = "fp16"


class Cut(StrEnum):
    """Truncation: what becomes of a value that is longer than the model takes."""

    TRUNCATE = "truncate"
    WINDOW = "window"
    REFUSE = "refuse"


Precisions = Annotated[
    list[Precision] | None,
    typer.Option("--precision", help="What the bundle holds; the recipe's by default. Repeatable."),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        min=0,
        help="Points of the metric that a precision may lose; the recipe's by default.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    int | None,
    typer.Option(
        "--rows",
        min=1,
        help="The fewest held-out rows that accept anything but fp32; by default as many that "
        "one counts no more than the budget.",
        show_default=False,
    ),
]
Web = Annotated[
    bool,
    typer.Option("--web", help="Make the page too that answers in a browser; npm fetches for it."),
]
OnePrecision = Annotated[
    Precision | None,
    typer.Option(
        "--precision",
        help="The one to answer with; the bundle's own by default.",
        show_default=False,
    ),
]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle, or the run that holds one.")
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUTS...",
        help="Texts, or paths of images or sounds; a table or folder stands for its rows. "
        "- reads a line each.",
    ),
]
FromStdin = Annotated[bool, typer.Option("--stdin", help="Read one input a line from stdin.")]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", help="Keep scores at least as high, 0 to 1.", show_default=False),
]
HowLong = Annotated[
    Cut | None,
    typer.Option(
        "--long",
        help="Cut off what is longer than the model takes, merge windows of it, or refuse it.",
        show_default="as the task says",
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider", help="cpu, cuda, openvino, coreml ...; what is installed.", show_default="cpu"
    ),
]
Draw = Annotated[
    Path | None,
    typer.Option(
        "--draw",
        metavar="FOLDER",
        help="Write pictures with the boxes drawn on them, or label maps as PNG, into a folder.",
        show_default=False,
    ),
]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Keep the best scores only.")]


def export(
    shell: Shell,
    run: RunFolder,
    precision: Precisions = None,
    *,
    budget: Budget = None,
    rows: HeldOut = None,
    web: Web = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's bundle: the folder a machine without torch answers from."""
    from multigraft.runtime.web.site import fetch_packages

    found = opened(shell, run)
    if precision:
        found = with_settings(found, "export", precisions=tuple(each.value for each in precision))
    if budget is not None:
        found = with_settings(found, "export", budget=budget)
    if rows is not None:
        found = with_settings(found, "export", rows=rows)
    if web:
        fetch_packages(found.resolved.modality)
        found = with_settings(found, "export", web=True)
    show_report(shell, found.export(), as_json=as_json)


def predict(
    shell: Shell,
    bundle: BundleFolder,
    inputs: Inputs = None,
    *,
    stdin: FromStdin = False,
    data: Data = None,
    into: Into = None,
    keep: Keep = None,
    top_k: TopK = None,
    threshold: Threshold = None,
    ask: Ask = None,
    long: HowLong = None,
    columns: Columns = None,
    provider: Provider = None,
    precision: OnePrecision = None,
    drawn: Draw = None,
    as_json: AsJson = False,
) -> None:
    """Answer texts, images or sounds with a bundle; needs no torch.

    Every input has an answer in its place; where one cannot be read, that is an error, and the exit
    code 1. With --data and --into every row of a table is answered into a file, errors in a column
    of their own; called again after it was stopped, it goes on where it was.
    """
    _check_given(inputs, stdin=stdin, data=data, into=into, keep=keep, drawn=drawn)
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import load

    catalog = Catalog()
    wanted = None if precision is None else precision.value
    predictor = load(held(bundle), precision=wanted, providers=provider, catalog=catalog)
    flags = {"top_k": top_k, "threshold": threshold, "long": None if long is None else long.value}
    given = {name: value for name, value in flags.items() if value is not None}
    given |= named_values(ask or [])
    named = named_columns(columns or ())
    if data is not None and into is not None:
        fill_file(shell, predictor, data, into, keep=keep, columns=named, catalog=catalog, **given)
        return
    tables = tables_of(predictor.bundle, predictor.modality, catalog, named)
    asked = gather(inputs or [], predictor.modality, stdin=stdin, tables=tables)
    answers = answered(predictor, asked, **given)
    shown = [each.shown for each in asked]
    if as_json:
        pairs = zip(shown, answers, strict=True)
        shell.say_json([{"input": value, "answer": answer} for value, answer in pairs])
    elif asked:
        shell.out.print(table(shown, answers))
    if drawn is not None:
        files = draw(drawn, asked, answers, predictor.labels)
        shell.tell(f"{len(files)} pictures drawn in {drawn}")
    if failed := sum("error" in answer for answer in answers):
        shell.warn(f"{failed} of {len(answers)} inputs could not be answered", style="red")
        raise typer.Exit(FAILED)


def _check_given(
    inputs: list[str] | None,
    *,
    stdin: bool,
    data: str | None,
    into: Path | None,
    keep: list[str] | None,
    drawn: Path | None,
) -> None:
    if (data is None) != (into is None):
        raise typer.BadParameter("--data FILE and --into FILE belong together: give both")
    if data is not None and (inputs or stdin):
        raise typer.BadParameter("--data answers the rows of a file; leave the other inputs out")
    if drawn is not None and data is not None:
        raise typer.BadParameter("--draw is for inputs that are shown; leave --data out")
    if keep and into is None:
        raise typer.BadParameter("--keep names columns of --data: give --data and --into")
    if data is None and not inputs and not stdin:
        raise typer.BadParameter(
            "no inputs: give texts, paths or tables as arguments, or --stdin to read a line each"
        )


def answered(predictor: Predictor, asked: Sequence[Input], **settings: Any) -> list[dict[str, Any]]:
    """An answer for each input, in order; an error in the place of one that cannot be read."""
    sound = [each.value for each in asked if not each.error]
    found = iter(predictor.predict(sound, on_error="return", **settings))
    answers = [{"error": each.error} if each.error else next(found) for each in asked]
    numbers = iter(range(len(sound)))
    return [
        answer if each.error else _unnumbered(answer, next(numbers))
        for each, answer in zip(asked, answers, strict=True)
    ]


def _unnumbered(answer: dict[str, Any], index: int) -> dict[str, Any]:
    """The answer beside its input, which needs no number in its error."""
    if "error" not in answer:
        return answer
    return {**answer, "error": answer["error"].removeprefix(f"item {index}: ")}


def held(folder: Path) -> Path:
    """The bundle itself, where the folder of a run was given. Raises BundleError for a run without
    one."""
    inner = folder / "bundle"
    if (folder / "bundle.json").exists() or (inner / "bundle.json").exists():
        return folder if (folder / "bundle.json").exists() else inner
    if (folder / RECORD).is_file():
        before = "" if (folder / "model").is_dir() else f"{resume_command(folder)}, then "
        raise BundleError(
            f"{folder}: is a run that holds no bundle; make one: {before}multigraft export {folder}"
        )
    return folder
