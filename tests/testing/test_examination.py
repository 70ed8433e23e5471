from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import multigraft as mg
from helpers import toy_plugin
from multigraft.errors import MultigraftError, UnknownName
from multigraft.testing import Examination, check_plugin, examine
from multigraft.testing.junit import junit
from multigraft.testing.no_network import no_network
from multigraft.testing.results import Finding, Outcome, Verdict

FINDING = Finding(what="it leaks", where="a.b:c", why="rows mix", mend="mask <it>\x00")
VERDICT = Verdict(
    "toy",
    (
        Outcome("padding", "backbone tcn", "failed", 0.5, findings=(FINDING,)),
        Outcome("unit", "modality series", "skipped", 0.1, reason="none"),
        Outcome("record", "modality series", "passed", 0.2),
    ),
)


class Raises:
    """A plugin whose strategy's record is fine and whose hook is not."""

    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        raise ZeroDivisionError("division by zero")


def test_a_verdict_says_what_where_why_and_how() -> None:
    text = VERDICT.text()
    assert text.startswith("plugin 'toy': 1 passed, 1 failed, 1 skipped")
    assert "padding of backbone tcn: it leaks" in text
    for part in ("a.b:c", "rows mix", "mask <it>"):
        assert part in text
    assert not VERDICT.passed
    assert replace(VERDICT, outcomes=VERDICT.outcomes[1:]).passed


def test_a_verdict_as_json() -> None:
    data = json.loads(json.dumps(VERDICT.to_dict()))
    assert data["passed"] is False
    assert data["outcomes"][0]["findings"][0]["mend"].startswith("mask")


def test_a_verdict_as_junit() -> None:
    suite = ElementTree.fromstring(junit(VERDICT))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "time")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "time": "0.800",
    }
    failed, skipped, passed = suite
    assert failed.get("classname") == "toy.backbone.tcn"
    failure = failed.find("failure")
    assert failure is not None
    assert "mask <it>?" in str(failure.text)
    assert skipped.find("skipped") is not None
    assert len(passed) == 0


def test_the_assertion_names_the_findings() -> None:
    with pytest.raises(AssertionError, match="no samples"):
        check_plugin(toy_plugin, checks=["record"])


def test_a_plugin_that_raises_is_a_finding_and_nothing_else_is_tried() -> None:
    verdict = examine(Raises())
    assert [outcome.check for outcome in verdict.outcomes] == ["admitted"]
    assert "ZeroDivisionError" in verdict.findings[0].what


def test_what_a_check_raises_is_a_finding_with_its_line() -> None:
    def broken(spec: Any) -> Any:
        raise KeyError("length")

    modality = mg.Modality(
        name="broken",
        reader=broken,
        columns=("x",),
        samples=mg.Samples(good=lambda rng, count, folder: ["x"] * count, bad=lambda folder: []),
    )

    class Plugin:
        @mg.hookimpl
        def register_modalities(self) -> list[mg.Modality]:
            return [modality]

    verdict = examine(Plugin(), checks=["arrays", "unit"])
    failed = next(outcome for outcome in verdict.outcomes if outcome.state == "failed")
    assert "KeyError" in failed.findings[0].what
    assert "test_examination.py" in failed.findings[0].where
    assert [outcome.check for outcome in verdict.outcomes] == ["admitted", "arrays", "unit"]


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(UnknownName, match="did you mean 'speech'"):
        examine("speach")
    with pytest.raises(MultigraftError, match="did you mean 'padding'"):
        examine("text", checks=["paddin"])


def test_an_installed_module_is_examined_under_its_name() -> None:
    import multigraft_text

    with Examination(multigraft_text, checks=[]) as examination:
        assert examination.plugin.name == "text"
        assert examination.plugin.in_tree


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path))
    with Examination("text", checks=["arrays"]) as examination:
        folder = examination.bench.folder
        examination.verdict()
        assert folder.exists()
    assert not folder.exists()
    assert os.environ["MULTIGRAFT_CACHE"] == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_network_is_refused_and_comes_back() -> None:
    before = socket.getaddrinfo, socket.socket.connect
    with no_network() as asked:
        with pytest.raises(OSError, match="no network"):
            socket.create_connection(("example.invalid", 80))
        with socket.socket() as plain, pytest.raises(OSError, match="no network"):
            plain.connect(("127.0.0.1", 9))
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        other.close()
    assert len(asked) == 2
    assert (socket.getaddrinfo, socket.socket.connect) == before
