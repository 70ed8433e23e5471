from __future__ import annotations

import pytest

from faults.cases import CASES
from faults.harness import SEED, Calm, Undisturbed, calm_life, fresh_seed

CHOSEN = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this session's kill points."""
    return request.config.stash.setdefault(CHOSEN, fresh_seed())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how to have the same kill points again."""
    if CHOSEN in config.stash:
        terminalreporter.write_line(f"kill points of {SEED}={config.stash[CHOSEN]}")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of a recipe that was left alone, by the recipe's name; made once for all tests."""
    made: dict[str, Calm] = {}

    def give(name: str) -> Calm:
        if name not in made:
            made[name] = calm_life(CASES[name], tmp_path_factory.mktemp(name))
        return made[name]

    return give
