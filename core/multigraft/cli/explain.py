"""``explain``: which words, patches, cells or fields an answer is due to, and how faithfully."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli import FAILED
from multigraft.cli.asks import named_values
from multigraft.cli.bundle import OnePrecision, held
from multigraft.cli.inputs import Input, gather
from multigraft.cli.predict_file import shown_progress
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import Columns, named_columns, opened, show_report
from multigraft.system.resume_command import RECORD

if TYPE_CHECKING:
    from multigraft.evaluation.explain.explanations import Explanations
    from multigraft.runs.run import Run

Model = Annotated[
    Path,
    typer.Argument(metavar="RUN|BUNDLE", help="A run's folder, or a bundle; that needs no torch."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUTS...",
        help="Texts, or paths of images or sounds; of a run its held-out rows by default.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Explain rows of a table, a folder, or lines of a .txt.",
        show_default=False,
    ),
]
Rows = Annotated[int, typer.Option("--rows", min=1, help="How many rows are drawn.")]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="occlusion or lime; of a run also integrated-gradients, gradient-x-input, grad-cam, "
        "attention-rollout, and what plugins bring. Repeatable.",
        show_default="occlusion",
    ),
]
Of = Annotated[
    str | None,
    typer.Option(
        "--of",
        metavar="LABEL",
        help="The label, or the number of a regression, that is explained.",
        show_default="each row's answer",
    ),
]
Asked = Annotated[
    list[str] | None,
    typer.Option(
        "--ask", metavar="NAME=VALUE", help="An option of a method, as samples=1000. Repeatable."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="All chance follows from it.")]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into",
        metavar="FOLDER",
        help="Write explanations.html and .json there; of a run into its folder by default.",
        show_default=False,
    ),
]
Unchecked = Annotated[
    bool,
    typer.Option("--unchecked", help="Leave out how faithful they are, which takes most time."),
]

Wrong = Annotated[
    bool, typer.Option("--wrong", help="Of a run: held-out rows that are answered wrongly alone.")
]


def explain(
    shell: Shell,
    model: Model,
    inputs: Inputs = None,
    *,
    data: Data = None,
    rows: Rows = 20,
    method: Methods = None,
    of: Of = None,
    ask: Asked = None,
    seed: Seed = 0,
    into: Into = None,
    columns: Columns = None,
    precision: OnePrecision = None,
    unchecked: Unchecked = False,
    wrong: Wrong = False,
    as_json: AsJson = False,
) -> None:
    """Explain answers: how much each word, patch, sound or field raises the number that is
    answered, with figures of how faithful that is.

    Of a run with gradients too, and checked against random weights; of a bundle without torch.
    """
    from multigraft.cli.explained_rows import FEW, row_lines, shown_rows
    from multigraft.evaluation.explain.explanations import PAGE
    from multigraft.evaluation.row_answers import check_new_file

    if inputs and data is not None:
        raise typer.BadParameter("--data names the rows; leave the other inputs out")
    if into is not None:
        check_new_file(into / PAGE)
    if wrong and (inputs or data is not None or not (model / RECORD).is_file()):
        raise typer.BadParameter("--wrong is about the held-out rows of a run; leave inputs out")
    settings: dict[str, Any] = {
        **named_values(ask or []),
        "method": tuple(dict.fromkeys(method or ("occlusion",))),
        "of": of,
        "seed": seed,
        "faithfulness": not unchecked,
    }
    given = [*(inputs or []), *([] if data is None else [data])]
    named = named_columns(columns or ())
    if (model / RECORD).is_file():
        run = opened(shell, model)
        chosen = _of_run(run, given, named, rows, seed)
        found = run.explain(chosen, sanity=not unchecked, wrong=wrong, into=into, **settings)
        files = {"page": str((into or run.folder / "explanations") / PAGE)}
    else:
        found = _of_bundle(
            shell, model, given, named=named, rows=rows, precision=precision, settings=settings
        )
        files = {} if into is None else found.save(into)
    if as_json:
        shell.say_json(found.to_dict())
    else:
        typed = bool(inputs) and len(found.rows) <= FEW
        shell.out.print(shown_rows(found) if typed else row_lines(found))
        show_report(shell, found.report(files), as_json=False)
    if found.notes:
        raise typer.Exit(FAILED)


def _of_run(
    run: Run, given: Sequence[str], named: dict[str, str], rows: int, seed: int
) -> int | list[Any]:
    """The values to explain, or how many held-out rows."""
    if not given:
        return rows
    from multigraft.data import gathered_as
    from multigraft.evaluation.file_answers.bundle_tables import Tables

    told = gathered_as(run.recipe.data, run.rows["train"].table).columns
    tables = Tables(
        run.catalog.formats(),
        names={ours: theirs for ours, theirs in told.items() if isinstance(theirs, str)},
        lists={ours: theirs for ours, theirs in told.items() if isinstance(theirs, list)},
        asked=named,
    )
    asked = gather(given, run.resolved.modality, stdin=False, tables=tables)
    return [each.value for each in drawn(asked, rows, seed)]


def _of_bundle(
    shell: Shell,
    folder: Path,
    given: Sequence[str],
    *,
    named: dict[str, str],
    rows: int,
    precision: Any,
    settings: dict[str, Any],
) -> Explanations:
    """The explanations of a bundle's answers, without torch."""
    if not given:
        raise typer.BadParameter("a bundle has no rows of its own: give inputs, or --data FILE")
    from multigraft.evaluation.explain.of_bundle import explain_rows
    from multigraft.evaluation.file_answers.bundle_tables import tables_of
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import load

    catalog = Catalog()
    predictor = load(
        held(folder), precision=None if precision is None else precision.value, catalog=catalog
    )
    tables = tables_of(predictor.bundle, predictor.modality, catalog, named)
    asked = gather(given, predictor.modality, stdin=False, tables=tables)
    chosen = drawn(asked, rows, settings["seed"])
    with shown_progress(shell) as display:
        return explain_rows(
            predictor, [(place_of(each), each.value) for each in chosen], display, **settings
        )


def drawn(asked: Sequence[Input], rows: int, seed: int) -> list[Input]:
    """So many of the inputs that could be read, drawn at random, in their order. Raises
    typer.BadParameter where there is none."""
    import numpy as np

    sound = [each for each in asked if not each.error]
    if not sound:
        raise typer.BadParameter(asked[0].error if asked else "there is no row to explain")
    chosen = np.random.default_rng(seed).permutation(len(sound))[:rows]
    return [sound[number] for number in sorted(chosen.tolist())]


def place_of(each: Input) -> str:
    """What an input is called on the page."""
    return each.shown if isinstance(each.shown, str) else str(each.shown)
