from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from helpers.toys import write_rows

Grid = dict[str, Any]
Compute = Callable[..., mg.Experiment]


@pytest.fixture
def domains(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Three domains of series, each with test rows of its own."""
    return write_domains(tmp_path, "abc")


def write_domains(folder: Path, names: str) -> dict[str, dict[str, str]]:
    return {
        name: {
            "train": str(write_rows(folder / f"{name}.csv", seed=number, rows=48)),
            "test": str(write_rows(folder / f"{name}-test.csv", seed=number + 50, rows=40)),
        }
        for number, name in enumerate(names)
    }


def toy_grid(domains: dict[str, dict[str, str]], output: Path) -> Grid:
    """A recipe that takes a blink, on two domains."""
    return {
        "recipe": {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "workers": 0},
            "evaluation": {"bootstrap": 10},
            "data": {"leakage": {"allowed": 1}},
        },
        "domains": domains,
        "vary": {"data": ["a", "b"], "seed": [0]},
        "test_on": ["a", "b"],
        "threads": 1,
        "output": str(output),
    }


@pytest.fixture
def grid(domains: dict[str, dict[str, str]], tmp_path: Path) -> Grid:
    return toy_grid(domains, tmp_path / "made")


@pytest.fixture
def compute(grid: Grid) -> Iterator[Compute]:
    """Compute the grid in this process; keyword arguments change its fields."""

    def start(*, retry: bool = False, tell: Any = None, **fields: Any) -> mg.Experiment:
        changed = {**grid, **fields}
        return mg.experiment(changed, plugins=[multigraft_series], retry=retry, tell=tell)

    yield start
