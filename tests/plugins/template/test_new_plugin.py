"""A new plugin of every kind passes its own tests, as it is, once it is installed."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from pathlib import Path

import pytest

from multigraft.plugins.scaffold import BRINGS, new_plugin
from packages import ROOT, install, run


@pytest.mark.parametrize("kind", BRINGS)
def test_it_passes_its_own_tests(kind: str, tmp_path: Path) -> None:
    """All but what trains and exports, which takes half a minute a kind: the slow test below does that."""
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


def fresh(folder: Path) -> str:
    """A new environment that sees the libraries installed here, and nothing of ours but this source tree."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (target,) = (folder / "lib").glob("python*/site-packages")
    here = [ROOT / "core", ROOT / "plugins", *site.getsitepackages()]
    (target / "here.pth").write_text("\n".join(map(str, here)) + "\n")
    return str(python)


def pip(python: str, *arguments: str) -> None:
    done = subprocess.run([python, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def clean() -> dict[str, str]:
    """The environment less what would lead Python elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
