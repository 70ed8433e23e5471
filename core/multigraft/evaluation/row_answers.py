"""Answers row by row, as a file that later comparisons pair by row."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.answers import Answers
from multigraft.contracts.types import Answer
from multigraft.errors import DataError
from multigraft.system.files import write_text

if TYPE_CHECKING:
    from multigraft.data import Rows
    from multigraft.evaluation.answer_scores import RowMetrics

ENDINGS = (".jsonl", ".csv", ".parquet")
SCORES = ("scores", "score")


def check_rows_file(path: Path) -> Path:
    """The path itself. Raises DataError where rows cannot be written to it: by its ending, or since
    no file can be made there."""
    if path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"{path}: rows are written as {', '.join(ENDINGS)}; end the file's name in one of them"
        )
    return check_new_file(path)


def check_new_file(path: Path) -> Path:
    """The path itself. Raises DataError where no file can be made there, its folders included."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    there = next(each for each in path.absolute().parents if each.exists())
    if not there.is_dir():
        raise DataError(f"{path}: {there} is a file, not a folder; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DataError(f"{path}: nothing may be written in {there}; name another place")
    return path


def row_answers(
    rows: Rows,
    answered: Mapping[int, Answer],
    kept: RowMetrics,
    details: Mapping[str, Any],
    answers: Answers,
    *,
    columns: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """A record for each row, in the order of the data: ``row`` (its place), ``id`` (None without a
    column of that name), ``expected``, ``answer``, ``scores``, ``loss`` and ``correct``.

    ``expected`` is what the details say, or else what stands in the task's ``columns``. ``loss`` is
    the mean of what the row weighs, None where that is nothing, or no loss is kept; ``correct``
    None where an answer is not right or wrong.
    """
    ids = rows.column("id") if "id" in rows.columns else [None] * len(rows)
    weight = kept.get("weight", np.zeros(len(rows)))
    loss = np.full(len(weight), np.nan)
    np.divide(kept.get("loss", loss), weight, where=weight > 0, out=loss)
    right = answers.right(kept)
    correct = details.get("correct") if right is None else right.tolist()
    expected: Sequence[Any] = details.get("expected") or _wanted(rows, columns)
    for number in range(len(rows)):
        said = answered[number]
        yield {
            "row": rows.place(number),
            "id": ids[number],
            "expected": expected[number],
            "answer": _told(said),
            "scores": said.get("scores", said.get("score")),
            "loss": None if np.isnan(loss[number]) else float(loss[number]),
            "correct": None if correct is None else correct[number],
        }


def write_rows(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as ``.jsonl``, ``.csv`` or ``.parquet``, whole or not at all.

    In CSV and Parquet what is a list or has several fields is JSON, and a text stays as it is.
    """
    ending = check_rows_file(path).suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending == ".jsonl":
        lines = [json.dumps(each, ensure_ascii=False, default=str) for each in records]
        write_text(path, "".join(f"{line}\n" for line in lines))
        return
    flat = [{name: _flat(value) for name, value in each.items()} for each in records]
    if ending == ".csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        write_text(path, text.getvalue())
        return
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        name: [_typed(name, each[name]) for each in flat] for name in (flat[0] if flat else ())
    }
    parquet.write_table(pa.table(columns), path)


def _wanted(rows: Rows, columns: Sequence[str]) -> list[Any]:
    """The cells that the answers should be like; None where a task has no such columns."""
    each = (rows.row(number) for number in range(len(rows)))
    return [_alone({name: _plain(row.get(name)) for name in columns}) for row in each]


def _plain(cell: Any) -> Any:
    return _alone(cell) if isinstance(cell, Mapping) else cell


def _told(answer: Answer) -> Any:
    """An answer without its scores."""
    return _alone({name: value for name, value in answer.items() if name not in SCORES})


def _alone(fields: Mapping[str, Any]) -> Any:
    """Of one field its value, of none None, and several as they are."""
    return dict(fields) if len(fields) > 1 else next(iter(fields.values()), None)


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _typed(name: str, value: Any) -> Any:
    """A cell of a column that has one type: numbers and truths, and all else as text."""
    return value if value is None or name in ("loss", "correct") else str(value)
