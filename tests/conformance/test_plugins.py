"""Our own plugins and the template keep every contract. What they register is tried by being
registered."""

from __future__ import annotations

import json

import pytest

from conformance.conftest import PLUGINS, Benches
from multigraft.testing import Examination, examine
from multigraft.testing.table import CHECKS

SLOW = {
    *("graph", "int8", "decoder-graph", "answers", "places", "joined-windows", "scores"),
    *("figures", "asked-windows"),
}
"""Exports, which the plugins' own tests make too, and what they cost."""


def cases() -> list[object]:
    """Every check of every record, plugin by plugin."""
    found = []
    for plugin, given in PLUGINS.items():
        with Examination(given) as examination:
            for case in examination.cases:
                slow = [pytest.mark.slow] if case.check.name in SLOW else []
                name = f"{plugin}-{case.subject.replace(' ', '-')}-{case.check.name}"
                found.append(
                    pytest.param(plugin, case.subject, case.check.name, id=name, marks=slow)
                )
    return found


@pytest.mark.parametrize(("plugin", "record", "check"), cases())
def test_the_contract_is_kept(benches: Benches, plugin: str, record: str, check: str) -> None:
    examination = benches[plugin]
    case = next(c for c in examination.cases if (c.subject, c.check.name) == (record, check))
    outcome = examination.run(case)
    assert outcome.state != "failed", "\n".join(str(finding) for finding in outcome.findings)
    if outcome.state == "skipped":
        assert (check, outcome.reason) in ALLOWED_SKIPS


ALLOWED_SKIPS = {
    ("augment", "it has no augmentation"),
    ("int8", "quantization is 'none'"),
    ("likeness", "it has no likeness"),
    ("preview", "it has no preview"),
    ("augmented-targets", "its modality has no augmentation"),
    ("joined-windows", "its answers join no windows"),
    ("asked-windows", "its answers join no windows"),
    ("asked-windows", "its texts are written of a row alone"),
    ("scores", "its answers have no scores"),
    ("figures", "it has no answers of its own"),
    ("places", "the reader puts nothing around a value"),
    ("places", "it has neither targets nor outputs at positions"),
    ("windows", "its reader has no windows"),
    ("watches", "it watches no training"),
    ("writes", "its model does not write"),
    ("levels", "its module has no levels"),
    ("decoder", "its module writes nothing"),
    ("decoder-graph", "its module writes nothing"),
    ("mixing", "it has no augmentation"),
    ("mixing", "its augmentation mixes no rows"),
    ("patches", "it computes no patches alone"),
    ("sketches", "it looks for no duplicates"),
    ("unit", "its lengths have no unit of their own"),
    ("units", "its reader names no units"),
}


def test_every_check_is_made_of_some_plugin_here() -> None:
    made = set()
    for given in PLUGINS.values():
        with Examination(given) as examination:
            made |= {case.check.name for case in examination.cases}
    # the engine's, tried below
    engines = {check.name for check in CHECKS if check.of in ("strategy", "explainer")}
    assert made | engines == {check.name for check in CHECKS}


def test_a_verdict_is_json() -> None:
    verdict = examine("text", checks=["record"])
    assert json.loads(json.dumps(verdict.to_dict()))["passed"] is True
