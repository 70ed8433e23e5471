"""Notes and tables of a report about its data, from the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.data.bad_rows import in_column
from multigraft.data.rows import Rows

Table = tuple[tuple[str, ...], ...]
LEFT_OUT, TWICE = "Rows left out", "Rows in two splits"
LEFT_OUT_HEADING = ("split", "file", "row", "column", "reason")
TWICE_HEADING = (
    *("split", "row", "other split", "other row", "likeness"),
    *("holds", "other holds"),
)
ODD = 10
"""The most notes on one split of what its reader tells."""
PLACES = 5
"""The columns in front of what rows hold, which is told of texts alone."""


def bad_row_notes(facts: Mapping[str, Any], split: str | None = None) -> list[str]:
    """Say how many rows were left out of each split, or of one."""
    return [
        f"{name}: {found['rows']} {'row' if found['rows'] == 1 else 'rows'} left out that cannot "
        f"be used, {_place(found['first'][0])}"
        for name, found in facts.get("bad_rows", {}).items()
        if split in (None, name)
    ]


def odd_notes(rows: Rows, split: str) -> list[str]:
    """What the reader tells of a split's rows, and of how many: the most first."""
    found = sorted(rows.odd.items(), key=lambda each: (-each[1], each[0]))
    more = [f"{split}: {len(found) - ODD} notes of that kind more"] if len(found) > ODD else []
    return [f"{split}: {count} of {len(rows)} rows: {what}" for what, count in found[:ODD]] + more


def leak_notes(facts: Mapping[str, Any], split: str) -> list[str]:
    """Warn of leaked rows that flatter a score on this split."""
    return [
        f"{leak['equal'] + leak['near']} of {leak['rows']} {split} rows also stand in training, "
        f"{leak['equal']} equal and {leak['near']} nearly so, which flatters the score"
        for leak in facts.get("leaks", ())
        if leak["part"] == split and leak["other"] == "train"
    ]


def data_tables(facts: Mapping[str, Any]) -> dict[str, Table]:
    """Tabulate the first rows that were left out, and the first that stand in two splits."""
    bad = [
        (split, _text(row["file"]), _text(row["row"]), _text(row["column"]), row["reason"])
        for split, found in facts.get("bad_rows", {}).items()
        for row in found["first"]
    ]
    twice = [twice_row(leak, pair) for leak in facts.get("leaks", ()) for pair in leak["first"]]
    tables: dict[str, Table] = {}
    if bad:
        tables[LEFT_OUT] = (LEFT_OUT_HEADING, *bad)
    if twice:
        texts = any(row[PLACES:] != ("", "") for row in twice)
        shown = [row if texts else row[:PLACES] for row in (TWICE_HEADING, *twice)]
        tables[TWICE] = tuple(shown)
    return tables


def twice_row(leak: Mapping[str, Any], pair: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table of rows in two splits; earlier records do not say what rows hold."""
    held = pair.get("holds", ""), pair.get("other_holds", "")
    return leak["part"], pair["row"], leak["other"], pair["other"], _alike(pair), *held


def _place(row: Mapping[str, Any]) -> str:
    file, number, reason = row["file"], row["row"], row["reason"]
    if number is None:
        return f"the first {file}: {reason}"
    return f"the first {file} row {number}{in_column(row['column'], reason)}: {reason}"


def _alike(pair: Mapping[str, Any]) -> str:
    return "equal" if pair["equal"] else f"{pair['likeness']:.2f}"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
