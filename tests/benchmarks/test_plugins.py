"""Thirty plugins, five of them broken: each is listed, and the five say why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cases import hooks, plugins
from benchmarks.harness import measure

REASONS = {
    "raises": "RuntimeError: no licence found",
    "lacks": "No module named 'no_such_library'",
    "misspelt": "register_strategys",
    "clashes": "strategy 'full' is already registered by plugin 'engine'",
    "outdated": "needs multigraft <0.0.1",
}


def test_five_broken_plugins_switch_no_other_one_off(tmp_path: Path) -> None:
    plugins.make(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "multigraft.cli", "plugins", "--json"],
        env=plugins.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    found = {info["name"]: info for info in json.loads(done.stdout)}
    good = [info for name, info in found.items() if name.startswith("good")]
    assert [info["error"] for info in good] == [None] * plugins.GOOD
    assert all(info["version"] == "1.0" and info["brings"]["strategies"] for info in good)
    assert plugins.BROKEN.keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert reason in found[name]["error"]
        assert not found[name]["brings"]


@pytest.mark.slow
@pytest.mark.parametrize("module", [plugins, hooks])
def test_the_cases_measure_both_sides(module: object, tmp_path: Path) -> None:
    for case in module.cases("smoke", tmp_path):  # type: ignore[attr-defined]
        figures = measure(case)
        assert figures["ours"]["median"] > 0
        assert figures["theirs"]["median"] > 0
        assert figures["bar"]


def test_the_observers_are_told(tmp_path: Path) -> None:
    idle, busy = hooks.cases("smoke", tmp_path)
    assert idle.settings["observers"] == busy.settings["observers"] == 10
    measure(busy)
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3, "the heading and the points of one line, once"
