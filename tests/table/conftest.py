"""Rows of a small table that can be learned from, in a file and as mappings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CITIES = ("Bergen", "Lagos", "Lima")


def made(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """People whose label follows from age and city; some cells are empty."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        age, city = float(rng.normal(40, 15)), CITIES[int(rng.integers(3))]
        old = age + 20 * (city == "Lima") > 47
        rows.append(
            {
                "id": number,
                "age": "" if number % 17 == 3 else f"{age:.1f}",
                "city": "n/a" if number % 13 == 5 else city,
                "joined": f"2024-{1 + number % 12:02d}-{1 + number % 28:02d}",
                "label": ("young", "old")[old],
            }
        )
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write(tmp_path / "people.csv", made(120))
