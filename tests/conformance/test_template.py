"""The template is built, installed, found by its entry point, and passes its own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "plugins" / "template"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the template is installed as a package."""
    target = tmp_path_factory.mktemp("site")
    options = [
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--quiet",
        "--target",
        str(target),
    ]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(TEMPLATE)], check=True)
    return {**os.environ, "PYTHONPATH": str(target)}


def test_it_is_found_by_its_entry_point(installed: dict[str, str]) -> None:
    command = [sys.executable, "-m", "multigraft.cli", "plugins", "--json"]
    done = subprocess.run(command, env=installed, capture_output=True, text=True, check=True)
    listed = json.loads(done.stdout)
    plugins = listed["plugins"] if isinstance(listed, dict) else listed
    series = next(plugin for plugin in plugins if plugin["name"] == "series")
    assert series["origin"] == "multigraft-series"
    assert series["error"] is None
    assert "tcn-tiny" in series["brings"]["backbones"]


def test_it_passes_its_own_tests(installed: dict[str, str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(TEMPLATE / "tests"),
    ]
    done = subprocess.run(
        command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
