from __future__ import annotations

import pytest

from faults.cases import CASES
from faults.harness import SEED, Calm, Undisturbed, calm_life, fresh_seed


@pytest.fixture
def seed() -> int:
    """The seed of a test's kill points, told where the test fails."""
    chosen = fresh_seed()
    print(f"kill points of {SEED}={chosen}")
    return chosen


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of a recipe that was left alone, by the recipe's name; made once for all tests."""
    made: dict[str, Calm] = {}

    def give(name: str) -> Calm:
        if name not in made:
            made[name] = calm_life(CASES[name], tmp_path_factory.mktemp(name))
        return made[name]

    return give
