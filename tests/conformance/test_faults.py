"""Every faulty plugin of the table is caught by the check that is meant for it, and says what it
should."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.faults.good import Plugin
from conformance.faults.table import FAULTS, Fault
from conformance.faults.tagging import tagging
from multigraft.testing import check_plugin, examine


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_fault_is_caught(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = (
        _module(fault.plugin, tmp_path, monkeypatch)
        if isinstance(fault.plugin, str)
        else fault.plugin
    )
    verdict = examine(plugin, checks=[fault.check])
    found = [finding for outcome in verdict.outcomes for finding in outcome.findings]
    assert any(fault.says in finding.what for finding in found), verdict.text()
    assert {outcome.check for outcome in verdict.outcomes if outcome.findings} == {fault.check}
    for finding in found:
        assert finding.where
        assert finding.why
        assert finding.mend


def test_the_plugin_without_a_fault_passes_what_catches_them() -> None:
    # the graph's own are tried by the slow tests
    quick = {fault.check for fault in FAULTS} - {
        "graph",
        "answers",
        "places",
        "joined-windows",
        "scores",
        "figures",
        "asked-windows",
        "levels",  # of the grey pictures
    }
    verdict = check_plugin(Plugin(), checks=quick)
    assert verdict.count("passed") > 15


def test_the_tagging_plugin_without_a_fault_passes_what_catches_its() -> None:
    checks = ["places", "joined-windows", "answers", "augmented-targets", "augment"]
    plugin = tagging({"augment": lambda strength, reader, options: lambda row, rng: dict(row)})
    verdict = check_plugin(plugin, checks=checks)
    assert verdict.count("passed") == len(checks) + 1  # and `admitted`


@pytest.mark.slow
def test_the_plugin_without_a_fault_passes_everything() -> None:
    assert check_plugin(Plugin()).passed


def _module(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The source as a module, imported here and importable in other processes."""
    name = f"faulty_{abs(hash(source))}"
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("FAULTY", "")  # put back afterwards, whatever the module makes of it
    try:
        return importlib.import_module(name)
    finally:
        sys.modules.pop(name)
