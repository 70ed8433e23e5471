from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import multigraft_series
from helpers.leftovers import end_leftovers
from helpers.toys import write_rows
from multigraft.engine import Engine
from multigraft.runs.run import Run
from multigraft.system.libraries import switch_off_reports


def pytest_configure() -> None:
    """Switch reports off before a test module imports onnxruntime; what we do ourselves is tried in
    processes that begin without (security/watched.py)."""
    switch_off_reports()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes by its argument: archives hold the second they were made in, and
    workers that collect in different seconds must find the same names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True, scope="session")
def no_process_is_left() -> Iterator[None]:
    """Whoever starts a process ends it, also where the test fails; torn down after every other
    fixture."""
    yield
    left = end_leftovers()
    assert not left, f"tests left these processes at work: {left}"


@pytest.fixture(autouse=True, scope="session")
def no_real_cache(
    no_process_is_left: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """What a fixture of a longer life than a test writes stays out of the person's cache too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTIGRAFT_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture(autouse=True)
def cache_folder(
    no_real_cache: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A machine cache of each test's own, which the processes it starts share."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(folder))
    return folder


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
