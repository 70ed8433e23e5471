"""The file that gets the answer to each row of an evaluation, where one was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.data import Rows
from multigraft.errors import RunError
from multigraft.evaluation.answer_scores import AnswerKeeper, RowMetrics
from multigraft.evaluation.row_answers import row_answers, write_rows
from multigraft.runs.run import Run
from multigraft.runtime.answers import make_answers


def keeper_of(run: Run) -> AnswerKeeper | None:
    """What keeps the answer to each row; None where no file was asked for. Raises RunError for a
    task without answers."""
    if run.answers_file is None:
        return None
    if run.resolved.task.answers is None:
        raise RunError(f"task {run.resolved.task.name!r} gives no answers that could be written")
    return AnswerKeeper(run.metrics.answers or make_answers(run.resolved.task, run.targets))


def written_answers(
    run: Run,
    rows: Rows,
    keep: AnswerKeeper | None,
    row_metrics: RowMetrics,
    details: Mapping[str, Any],
) -> dict[str, str]:
    """Write what was kept; the file, as a report names it."""
    if keep is None or run.answers_file is None:
        return {}
    columns = run.resolved.task.columns
    records = row_answers(rows, keep.kept, row_metrics, details, keep.answers, columns=columns)
    write_rows(run.answers_file, list(records))
    return {"answers": str(run.answers_file)}
