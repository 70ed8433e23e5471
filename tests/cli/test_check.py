from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from multigraft import testing
from multigraft.cli import main
from multigraft.testing.results import Finding, Outcome, Verdict

FOUND = Finding(what="it leaks", where="a.b:c", why="rows mix", mend="mask it")
GOOD = Outcome("record", "modality text", "passed", 0.1)
BAD = Outcome("padding", "backbone bert", "failed", 0.2, findings=(FOUND,))


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    given = [GOOD]
    monkeypatch.setattr(testing, "examine", lambda name: Verdict(name, tuple(given)))
    return given


def test_a_plugin_that_passes(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-plugin", "text"]) == 0
    said = capsys.readouterr().out
    assert "modality text" in said
    assert "1 passed, 0 failed, 0 skipped" in said


def test_a_plugin_that_fails(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    outcomes.append(BAD)
    assert main(["check-plugin", "text"]) == 1
    said = capsys.readouterr().out
    for part in ("FAILED", "it leaks", "a.b:c", "rows mix", "mask it"):
        assert part in said


def test_json_alone(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    outcomes.append(BAD)
    assert main(["check-plugin", "text", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["outcomes"][1]["findings"][0]["what"] == "it leaks"


def test_junit(outcomes: list[Outcome], tmp_path: Path) -> None:
    outcomes.append(BAD)
    main(["check-plugin", "text", "--junit", str(tmp_path / "report.xml")])
    assert ElementTree.parse(tmp_path / "report.xml").getroot()[0].get("failures") == "1"


def test_a_name_that_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-plugin", "txt"]) == 2
    assert "did you mean 'text'" in capsys.readouterr().err
