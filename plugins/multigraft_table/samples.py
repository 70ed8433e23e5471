"""Sample rows of a table, made up, with which tests try what reads one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

CITIES = ("Bergen", "Lagos", "Lima")


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    """Rows of a number, a category and a date, of which some cells are missing."""
    return [_row(rng, number) for number in range(count)]


def bad(folder: Path) -> list[Any]:
    """Rows without a value, with cells of another type or an unknown column, and what is no row."""
    return [{}, {"age": None, "city": "NA"}, {"age": "old"}, {"agee": 3}, {"joined": "soon"}, 3, ""]


def _row(rng: np.random.Generator, number: int) -> dict[str, Any]:
    joined = date(2020, 1, 1) + timedelta(days=int(rng.integers(1000)))
    row = {
        "age": round(float(rng.normal(60 if number % 2 else 20, 5)), 1),
        "city": CITIES[int(rng.integers(len(CITIES)))],
        "joined": joined.isoformat(),
    }
    for name in row:
        if number and rng.random() < 0.1:
            row[name] = None
    return row if any(row.values()) else {"age": 20.0}
