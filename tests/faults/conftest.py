from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.cases import CASES
from faults.harness import SEED, Calm, Undisturbed, calm_life, fresh_seed

HERE = Path("tests/faults")
"""As pytest names the folder of these tests."""


@pytest.fixture
def seed() -> int:
    """The seed of a test's kill points, told where the test fails."""
    chosen = fresh_seed()
    print(f"kill points of {SEED}={chosen}")
    return chosen


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    """Repeat what was wrong in the last lines, which an output that was cut still has."""
    yield
    for report in (
        *terminalreporter.stats.get("failed", []),
        *terminalreporter.stats.get("error", []),
    ):
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None and Path(report.fspath).is_relative_to(HERE):
            terminalreporter.write_line(f"{report.nodeid}: {crash.message}")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of a recipe that was left alone, by the recipe's name; made once for all tests."""
    made: dict[str, Calm] = {}

    def give(name: str) -> Calm:
        if name not in made:
            made[name] = calm_life(CASES[name], tmp_path_factory.mktemp(name))
        return made[name]

    return give
