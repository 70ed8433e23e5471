"""Batch prediction: every row of a table is answered, and the answers stand beside it in a file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.display import UNSEEN, Display
from multigraft.errors import BundleError, DataError, RowError, did_you_mean
from multigraft.evaluation.file_answers.bundle_tables import (
    Tables,
    line_table,
    read_tables,
    tables_of,
)
from multigraft.evaluation.file_answers.flat_answers import AnswerColumns
from multigraft.evaluation.file_answers.journal import Journal
from multigraft.evaluation.file_answers.sinks import Part, write_parts
from multigraft.evaluation.row_answers import check_rows_file

if TYPE_CHECKING:
    from multigraft.data.sources.table import Table
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import Predictor

GROUP, WRITTEN = 512, 64
"""Rows that are answered together, and so done anew after a kill; of texts that are written."""
PART = 16 * GROUP
"""Rows of a part of the file, whatever groups they were answered in."""


@dataclass(frozen=True)
class FileAnswers:
    """What became of a table."""

    path: Path
    rows: int
    failed: int
    """Rows with an error in place of an answer."""
    resumed: int
    """Rows that an earlier call had answered."""
    seconds: float
    """Of answering, without reading the table and writing the file."""

    @property
    def rows_per_second(self) -> float:
        """Of the rows that this call answered."""
        return (self.rows - self.resumed) / max(self.seconds, 1e-9)


def predict_file(
    predictor: Predictor,
    data: Any,
    into: str | Path,
    *,
    keep: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    catalog: Catalog | None = None,
    display: Display = UNSEEN,
    **asked: Any,
) -> FileAnswers:
    """Answer every row of ``data`` and write the answers to ``into``, in order, beside the table's
    own columns.

    ``into`` ends in ``.parquet``, ``.csv`` or ``.jsonl``. ``data`` is what a recipe's
    ``data.train`` may be, rows in Python too; of a ``.txt`` each line is a row, blank ones too.
    ``keep`` names the table's columns that stand beside the answers; unset, all that a file of text
    can hold. ``columns`` are further names of columns, ours to theirs; ``asked`` is what
    `Predictor.predict` takes. An answer's fields are columns of their own, as ``answer_label``; a
    mapping of plain values has one for each key (``answer_scores_good``), and what is nested is
    JSON. A row that cannot be answered says why in ``answer_error``.

    Answers are kept in a file beside ``into`` while they are made. A call that was killed is called
    again: it goes on there, and the file is the one that an undisturbed call makes. Raises
    DataError, PredictError, BundleError.
    """
    path = check_rows_file(Path(into))
    tables = _tables(predictor, catalog, columns or {})
    own, table = _read(data, predictor, tables)
    kept = _kept(own, keep)
    group = GROUP if predictor.writer is None else WRITTEN
    facts = _facts(predictor, table, asked, group)
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path.with_name(f".{path.name}.journal"), facts, group)
    try:
        resumed, began = journal.done, time.perf_counter()
        display.begin("answering", len(table))
        display.advance(resumed)
        for start in range(resumed, len(table), group):
            numbers = range(start, min(start + group, len(table)))
            journal.add(_answered(predictor, table, numbers, asked))
            display.advance(len(numbers))
        seconds = time.perf_counter() - began
        failed = _write(path, own, kept, journal, labels=predictor.labels, display=display)
    except BaseException:
        journal.leave()
        raise
    journal.remove()
    return FileAnswers(path, len(table), failed, resumed, seconds)


def _tables(predictor: Predictor, catalog: Catalog | None, columns: Mapping[str, str]) -> Tables:
    from multigraft.plugins.catalog import Catalog

    known = catalog if catalog is not None else Catalog()
    return tables_of(predictor.bundle, predictor.modality, known, columns)


def _read(data: Any, predictor: Predictor, tables: Tables) -> tuple[Table, Table]:
    from multigraft.data.sources.containers import Shape
    from multigraft.data.sources.rows_file import as_source

    modality = predictor.modality
    lines = line_table(data, modality) if isinstance(data, str | Path) else None
    if lines is not None:
        return lines, lines
    shape = Shape(modality.required[0], media=bool(modality.suffixes))
    with as_source(str(data) if isinstance(data, Path) else data, shape) as source:
        return read_tables(source, modality, tables)


def _kept(own: Table, keep: Sequence[str] | None) -> list[str]:
    """The table's columns that stand beside the answers. Raises DataError for one it lacks."""
    if keep is None:
        return [name for name in own.columns if not _holds_bytes(own, name)]
    if unknown := [name for name in keep if name not in own.columns]:
        raise DataError(
            f"{own.name}: there is no column {unknown[0]!r} to keep; "
            f"{did_you_mean(unknown[0], own.columns)}"
        )
    return list(keep)


def _holds_bytes(own: Table, name: str) -> bool:
    """Whether a column's first values are bytes or arrays, or a mapping of them."""
    held = (value for value in islice(own.cells(name), GROUP) if value is not None)
    return any(
        isinstance(each, bytes | np.ndarray)
        for value in held
        for each in (value.values() if isinstance(value, dict) else (value,))
    )


def _facts(
    predictor: Predictor, table: Table, asked: Mapping[str, Any], group: int
) -> dict[str, Any]:
    """What must be the same for answers that were kept to be of any use."""
    from multigraft.data.cache.content import canonical

    values = hashlib.sha256()
    for name in table.content.raw:
        cells = iter(table.cells(name))
        while block := list(islice(cells, GROUP)):
            values.update(canonical(block))
    return {
        "bundle": predictor.bundle.sha256,
        "precision": predictor.precision,
        "asked": {name: str(value) for name, value in sorted(asked.items())},
        "rows": len(table),
        "values": values.hexdigest(),
        "group": group,
    }


def _answered(
    predictor: Predictor, table: Table, numbers: range, asked: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """An answer for each of some rows; an error where there is none."""
    from multigraft.data.cache.content import raw_value

    values: list[Any] = []
    answers: list[dict[str, Any] | None] = []
    content = table.content
    columns = [table.cells(name)[numbers.start : numbers.stop] for name in content.raw]
    for number, *cells in zip(numbers, *columns, strict=True):
        try:
            values.append(raw_value(content, number, cells))
            answers.append(None)
        except RowError as error:
            answers.append({"error": str(error)})
    found = iter(_predicted(predictor, values, asked))
    places = iter(range(len(values)))
    return [
        _unnumbered(next(found), next(places)) if answer is None else answer for answer in answers
    ]


def _predicted(
    predictor: Predictor, values: list[Any], asked: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """An answer for each value; where the graph gives one nothing that can be told, each is
    answered alone, so that it costs no other its answer."""
    try:
        return list(predictor.predict(values, on_error="return", **asked))
    except BundleError as error:
        if len(values) == 1:
            return [{"error": str(error)}]
        return [each for value in values for each in _predicted(predictor, [value], asked)]


def _unnumbered(answer: dict[str, Any], index: int) -> dict[str, Any]:
    """The answer beside its row, which needs no number in its error."""
    if "error" not in answer:
        return answer
    return {**answer, "error": str(answer["error"]).removeprefix(f"item {index}: ")}


def _write(
    path: Path,
    own: Table,
    kept: Sequence[str],
    journal: Journal,
    *,
    labels: Sequence[str],
    display: Display,
) -> int:
    """Write the table's columns and the answers; gives how many rows have an error."""
    display.begin(f"writing {path.name}", len(own))
    answers = AnswerColumns.of(journal.answers(), labels)
    types = {**{name: _type(own, name) for name in kept}, **answers.types()}
    if twice := [name for name in kept if name in answers.types()]:
        raise DataError(
            f"{own.name}: has a column {twice[0]!r}, which is one of the answers' names; name the "
            "columns to keep without it"
        )
    failed = 0

    def parts() -> Iterator[Part]:
        nonlocal failed
        for numbers, found in _parts(journal.answers()):
            failed += sum("error" in answer for answer in found)
            yield _rows(own.select(numbers), kept, [answers.row(each) for each in found])
            display.advance(len(found))

    write_parts(path, parts(), types)
    return failed


def _parts(answers: Iterator[dict[str, Any]]) -> Iterator[tuple[np.ndarray, list[dict[str, Any]]]]:
    start = 0
    while found := list(islice(answers, PART)):
        yield np.arange(start, start + len(found)), found
        start += len(found)


def _rows(own: Table, kept: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> Part:
    cells = {name: own.column(name) for name in kept}
    return [
        {**{name: cells[name][place] for name in kept}, **answer}
        for place, answer in enumerate(answers)
    ]


def _type(own: Table, name: str) -> Any:
    """A column's type, as Arrow has it where all of it is of a plain one; else of texts."""
    import pyarrow as pa

    found = getattr(own.content.columns[name], "type", None)
    plain = found is not None and pa.types.is_primitive(found)
    return found if plain else str
