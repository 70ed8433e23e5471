"""A new plugin of every kind passes its own tests, as it is, once it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from helpers.environments import clean, fresh, pip
from helpers.packages import install, run
from multigraft.plugins.scaffold import BRINGS, new_plugin


@pytest.mark.parametrize("kind", BRINGS)
def test_it_passes_its_own_tests(kind: str, tmp_path: Path) -> None:
    """All but what trains and exports, which takes half a minute a kind: the slow test below does
    that."""
    packages = tmp_path / "site"
    packages.mkdir()
    folder = new_plugin(f"new-{kind}", kind, into=tmp_path)
    install(folder, packages)
    done = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not from_ and not contracts"],
        site=packages,
        folder=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of a fresh environment."""
    return fresh(tmp_path_factory.mktemp("fresh") / "venv")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BRINGS)
def test_it_is_installed_into_a_fresh_environment_and_passes_all_its_tests(
    kind: str, environment: str, tmp_path: Path
) -> None:
    folder = new_plugin(f"new-{kind}", kind, into=tmp_path)
    options = ["-q", "--no-deps", "--no-index", "--no-build-isolation"]
    pip(environment, "install", *options, "-e", str(folder))
    done = subprocess.run(
        [environment, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env=clean(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
