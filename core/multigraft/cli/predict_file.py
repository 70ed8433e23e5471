"""``predict --data --into``: a table's answers as a file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli import FAILED
from multigraft.cli.shell import Shell

if TYPE_CHECKING:
    from multigraft.contracts.display import Display
    from multigraft.runtime import Predictor

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Answer each row of a table, a folder, or lines of a .txt; with --into.",
        show_default=False,
    ),
]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into",
        metavar="FILE",
        help="The file of answers: .parquet, .csv or .jsonl.",
        show_default=False,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="COLUMN",
        help="A column of --data that stands beside the answers; all by default. Repeatable.",
        show_default=False,
    ),
]


class Lines:
    """Progress as lines beside the answer, for a log: a `Display`."""

    def __init__(self, shell: Shell) -> None:
        from multigraft.training.callbacks.stage_lines import StageLines

        self._stage = StageLines(shell.tell)

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def begin(self, what: str, total: int | None = None) -> None:
        """Say nothing yet: what is done soon needs no line."""
        self._stage.begin(what, total)

    def advance(self, count: int) -> None:
        """Say how far it is, now and then."""
        self._stage.advance(count)


def shown_progress(shell: Shell) -> Display:
    """A bar, lines for a log where none can be shown, or nothing where it is quiet."""
    from multigraft.contracts.display import UNSEEN
    from multigraft.training.callbacks.progress import usual_progress

    return UNSEEN if shell.quiet else usual_progress() or Lines(shell)


def fill_file(shell: Shell, predictor: Predictor, data: str, into: Path, **settings: Any) -> None:
    """Answer every row of ``data`` into a file, and tell how it went."""
    from multigraft.evaluation.file_answers.answer_file import predict_file

    with shown_progress(shell) as display:
        try:
            made = predict_file(predictor, data, into, display=display, **settings)
        except KeyboardInterrupt:
            shell.warn("stopped; the same command goes on where it was")
            raise
    before = f", {made.resumed:,} of them before" if made.resumed else ""
    shell.tell(f"{made.rows:,} rows answered{before}, {made.rows_per_second:,.0f} a second")
    shell.say(str(made.path))
    if made.failed:
        shell.warn(
            f"{made.failed:,} of {made.rows:,} rows could not be answered: answer_error says why"
        )
    if made.failed == made.rows:
        raise typer.Exit(FAILED)
