from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import multigraft_series
from multigraft.engine import Engine
from multigraft.runs.run import Run
from toys import write_rows


@pytest.fixture
def engine() -> Engine:
    """An engine that knows the toy plugin and no other."""
    return Engine([multigraft_series], discover=False)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "series.csv")


@pytest.fixture
def finetune(engine: Engine, rows: Path, tmp_path: Path) -> Callable[..., Run]:
    """Finetune the toy; keyword arguments change the recipe."""

    def start(**fields: Any) -> Run:
        recipe: dict[str, Any] = {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "data": str(rows),
            "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01},
            "output": str(tmp_path / "run"),
        }
        return engine.start({**recipe, **fields}, "finetune")

    return start
