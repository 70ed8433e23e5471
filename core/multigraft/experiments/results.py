"""Results of an experiment: one row for each cell, domain and metric, put together from records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.experiments.cells import Cell
from multigraft.experiments.records import Record, Tested
from multigraft.system.files import new_file

Row = Mapping[str, Any]
FINISHED, FAILED = "finished", "failed"


def rows_of(cells: Sequence[Cell], records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """The rows of every cell that ended, in the order of the plan: ``cell``, the fields that vary,
    ``seed``, ``domain``, ``metric``, ``value``, ``low``, ``high``, ``n`` (rows of the domain),
    ``seconds`` (of training, and of this domain's evaluation), ``state``, ``reason``.

    What failed has one row, without a metric.
    """
    return [row for cell in cells if cell.key in records for row in _rows(cell, records[cell.key])]


def _rows(cell: Cell, record: Record) -> Iterator[dict[str, Any]]:
    head: dict[str, Any] = {"cell": cell.key, **cell.varied, "seed": cell.seed}
    if record.state == FAILED:
        yield {**head, **_measured(None, record.seconds), "state": FAILED, "reason": record.reason}
        return
    for tested in record.tested:
        seconds = record.seconds + tested.seconds
        if tested.reason is not None:
            told: dict[str, Any] = {"state": FAILED, "reason": tested.reason}
            yield {**head, **_measured(tested, seconds), **told}
        for score in tested.scores:
            told = {"state": FINISHED, "reason": record.reason}
            found = {"metric": score.metric, "value": score.value}
            ends = {"low": score.low, "high": score.high}
            yield {**head, **_measured(tested, seconds), **found, **ends, **told}


def _measured(tested: Tested | None, seconds: float) -> dict[str, Any]:
    return {
        "domain": None if tested is None else tested.domain,
        "metric": None,
        "value": None,
        "low": None,
        "high": None,
        "n": None if tested is None else tested.rows,
        "seconds": seconds,
    }


def write_results(path: Path, rows: Sequence[Row], fields: Iterable[str]) -> None:
    """Write the rows as Parquet, whole or not at all; ``fields`` are the columns of what varies."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = [pa.field(name, _type([row[name] for row in rows])) for name in fields]
    schema = pa.schema([pa.field("cell", pa.string()), *columns, *_fixed()])
    table = pa.Table.from_pylist([_typed(row, schema) for row in rows], schema=schema)
    with new_file(path) as file:
        parquet.write_table(table, file)


def _fixed() -> list[Any]:
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    kinds = {
        **{"seed": pa.int64(), "domain": text, "metric": text},
        **{"value": number, "low": number, "high": number, "n": pa.int64()},
        **{"seconds": number, "state": text, "reason": text},
    }
    return [pa.field(name, kind) for name, kind in kinds.items()]


def _type(values: Sequence[Any]) -> Any:
    """The type of a column of what varies: numbers where all are."""
    import pyarrow as pa

    given = [value for value in values if value is not None]
    if given and all(isinstance(value, int) for value in given):
        return pa.int64()
    if given and all(isinstance(value, int | float) for value in given):
        return pa.float64()
    return pa.string()


def _typed(row: Row, schema: Any) -> dict[str, Any]:
    import pyarrow as pa

    return {
        field.name: str(row[field.name])
        if field.type == pa.string() and row[field.name] is not None
        else row[field.name]
        for field in schema
    }
