"""Where words leave: any encoding, a reader that has left, a full disk, a stranger's control
characters."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import multigraft as mg
from multigraft.cli import bundle, main, plugins
from multigraft.contracts.report import Confusion, Measure, Report, WorstRow
from multigraft.errors import RunError
from multigraft.plugins.info import PluginInfo
from multigraft.system.terminal import CONTROL

EVIL = "a\x1b]52;c;eA==\x07\x9b2J\u202eb\r"
"""Reaches the clipboard, clears the screen, turns the direction, writes over the line."""
SHOWN = "a\\x1b]52;c;eA==\\x07\\x9b2J\\u202eb\\r"
WORDS = "日本 ünd ●"
REPORT = Report(
    verb="evaluate",
    title=EVIL,
    metrics={EVIL: Measure(0.5, 0.4, 0.6)},
    curves={EVIL: ((1.0, 2.0), (2.0, 0.5))},
    confusion=Confusion((EVIL, "b"), ((8, 2), (1, 9))),
    worst=(WorstRow(EVIL, 3.25, EVIL, EVIL),),
    facts={EVIL: EVIL},
    tables={EVIL: ((EVIL, "x"), (EVIL, "y"))},
    notes=(EVIL,),
    files={EVIL: EVIL},
)
Say = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command with streams of an encoding; give its code, stdout's bytes and stderr's
    text."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str, encoding: str = "utf-8") -> tuple[int, bytes, str]:
        out, err = io.BytesIO(), io.BytesIO()
        for name, stream in (("stdout", out), ("stderr", err)):
            monkeypatch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding))
        code = main(list(arguments))
        assert (sys.stdout.errors, sys.stderr.errors) == ("strict", "strict")
        sys.stderr.flush()
        return code, out.getvalue(), err.getvalue().decode(encoding)

    return run


@pytest.fixture
def reported(calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run reports what a stranger made."""
    import multigraft.api as api

    opened = api.open_run

    def evil(*given: Any, **more: Any) -> Any:
        logging.getLogger("multigraft").warning("left out: %s", EVIL)
        print(f"a library says {EVIL}")
        run = opened(*given, **more)
        monkeypatch.setattr(type(run), "evaluate", lambda *_, **__: REPORT)
        return run

    monkeypatch.setattr(api, "open_run", evil)


def is_harmless(text: str) -> bool:
    return not CONTROL.search(text)


def test_a_report_s_words_are_words(say: Say, reported: None) -> None:
    code, out, err = say("evaluate", "run")
    assert code == 0
    assert out.decode().count(SHOWN) >= 12
    assert is_harmless(out.decode())
    assert f"warning: left out: {SHOWN}" in err


def test_what_a_library_prints_keeps_its_layout_alone(say: Say, reported: None) -> None:
    err = say("evaluate", "run")[2]
    assert "a library says a\\x1b]52;c;eA==\\x07\\x9b2J\\u202eb\r" in err


def test_json_has_the_same_words_and_no_control(say: Say, reported: None) -> None:
    out = say("evaluate", "run", "--json")[1].decode()
    assert is_harmless(out)
    assert json.loads(out)["title"] == EVIL


@pytest.mark.parametrize("arguments", [["evaluate", "run"], ["evaluate", "run", "--debug"]])
def test_an_error_s_words_are_words(say: Say, calls: Any, arguments: list[str]) -> None:
    calls.raises = RunError(EVIL)
    code, _, err = say(*arguments)
    assert code == 1
    assert SHOWN in err and is_harmless(err)


@pytest.mark.parametrize("arguments", [[f"--{EVIL}"], [EVIL], ["evaluate", "x", "--split", EVIL]])
def test_wrong_usage_is_told_in_words(say: Say, arguments: list[str]) -> None:
    code, _, err = say(*arguments)
    assert code == 2
    assert "x1b]52" in err and is_harmless(err)


def test_a_plugin_s_words_are_words(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [PluginInfo(name=EVIL, version=f"[red]{EVIL}", origin=EVIL, load=object, error=EVIL)]
    monkeypatch.setattr(plugins, "installed", lambda: found)
    for arguments in (["plugins"], ["plugins", "--why", EVIL], ["plugins", "--json"], ["doctor"]):
        _, out, err = say(*arguments)
        assert is_harmless(out.decode() + err)
    assert f"[red]{SHOWN}" in say("plugins")[1].decode()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_command_speaks_any_encoding(
    say: Say, reported: None, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr("multigraft.runtime.load", lambda *_, **__: Words())
    told = WORDS.encode(encoding, "backslashreplace")
    for arguments in (["predict", "b", WORDS], ["predict", "b", WORDS, "--long", "window"]):
        code, out, _ = say(*arguments, encoding=encoding)
        assert code == 0 and told in out
    code, out, _ = say("predict", "b", WORDS, "--json", encoding=encoding)
    assert json.loads(out)[0]["input"] == WORDS
    assert say("evaluate", "run", encoding=encoding)[0] == 0
    assert say("--help", encoding=encoding)[0] == 0
    code, _, err = say("resume", WORDS, f"--{WORDS}", encoding=encoding)
    assert code == 2 and told.decode(encoding) in err


class Words:
    """A predictor that answers with the value."""

    bundle = SimpleNamespace(
        modality="text", task="a task", generation=None, columns=(), facts={"columns": [EVIL]}
    )
    modality = mg.Modality(name="text", reader=mg.Lazy("x:y"), columns=("text",))

    def predict(self, values: list[str], **_: Any) -> list[dict[str, Any]]:
        return [{"label": value} for value in values]


def test_the_name_of_a_file_may_be_no_text(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multigraft.runtime.load", lambda *_, **__: Words())
    for encoding in ("utf-8", "ascii"):
        assert b"bird\\udcff.png" in say("predict", "b", "bird\udcff.png", encoding=encoding)[1]
        out = say("predict", "b", "bird\udcff.png", "--json", encoding=encoding)[1]
        assert json.loads(out)[0]["input"] == "bird\udcff.png"


@pytest.mark.parametrize("columns", ["1", "7", "40", "5000"])
def test_no_width_loses_a_word(say: Say, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    shown = bundle.table(["a fine film"], [{"label": "good", "score": 0.5}])
    from multigraft.system.console import Console

    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    Console(file=stream).print(shown)
    assert all(word in stream.getvalue() for word in ("a fine film", "good", "0.5000"))


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell's, in which M is multigraft."""
    line = line.replace("M ", f"{sys.executable} -m multigraft.cli ")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of its own")
@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("M --help | true; exit ${PIPESTATUS[0]}", 141, ""),
        ("M --help > /dev/full", 1, "stdout: No space left on device\n"),
        ("M schema >&-", 1, "stdout: is closed, so the answer cannot be shown\n"),
        ("M recipe check nowhere.yaml 2>&-", 2, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_no_success(line: str, code: int, err: str) -> None:
    if "/dev/full" in line and sys.platform != "linux":
        pytest.skip("no /dev/full")
    done = shell(line)
    assert (done.returncode, done.stderr) == (code, err)


def test_numbers_of_closed_streams_are_no_file_s(tmp_path: Any) -> None:
    code = (
        "import os; from multigraft.cli import main; main(['--version']); file = "
        f"open({str(tmp_path / 'x')!r}, 'w'); os._exit(0 if file.fileno() > 2 else 9)"
    )
    assert shell(f'{sys.executable} -c "{code}" 2>&- <&-').returncode == 0
