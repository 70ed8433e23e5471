"""The tutorial is followed to the letter, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from helpers.environments import clean, fresh
from helpers.packages import ROOT, install
from multigraft.cli import main

PAGE = (ROOT / "docs" / "plugins" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.S
)
TABLE = Path("multigraft-measures")


def follow(folder: Path, carry_out: Callable[[str, Path], str]) -> Iterator[tuple[str, str]]:
    """Write every file and give every command, in the page's order; each command, and what it
    said."""
    for block in BLOCK.finditer(PAGE):
        if block["file"]:
            (folder / TABLE / block["file"]).write_text(block["text"], encoding="utf-8")
            continue
        assert block["language"] == "sh", "a file or commands"
        for line in block["text"].splitlines():
            if line.startswith("cd "):
                assert Path(line.removeprefix("cd ")) == TABLE
                continue
            yield line, carry_out(line, folder if line.startswith("mkdir ") else folder / TABLE)


def in_a_process(line: str, where: Path, environment: Mapping[str, str]) -> str:
    """What a command says that a person types."""
    words = shlex.split(line)
    done = subprocess.run(
        words, cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def commands(folder: Path, python: str, *, pip: str) -> str:
    """A folder with the commands of the page, each run by that Python."""
    folder.mkdir()
    lines = {
        "multigraft": f"exec {python} -m multigraft.cli",
        "pytest": f"exec {python} -m pytest -p no:cacheprovider",
        "python": f"exec {python}",
        "pip": pip,
    }
    for name, line in lines.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\n{line} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def check(said: Mapping[str, str]) -> None:
    """What the page promises of its commands."""
    assert "\n  on" in said["multigraft plugins --why measures"]
    assert re.search(r"\d passed", said["pytest -q"])
    assert "0 failed" in said["multigraft check-plugin measures"]
    predicted = next(out for line, out in said.items() if line.startswith("multigraft predict"))
    assert predicted.index("long") < predicted.index("short")
    assert "accuracy" in said["multigraft evaluate runs/first"]


def test_followed_without_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As below, but multigraft's commands are given in this process, which saves each the import of
    torch.

    The package is linked where ``pip install -e .`` would have it.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    paths = os.pathsep.join(
        [str(site), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    )
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("NO_COLOR", "1")
    environment = {**os.environ, "PATH": commands(tmp_path / "bin", sys.executable, pip="exit 1 #")}

    def carry_out(line: str, where: Path) -> str:
        if line == "pip install -e .":
            install(where, site)
            return ""
        if line.startswith("pytest"):  # the command after it tries the contracts too
            return in_a_process(f"{line} -k 'not contracts'", where, environment)
        if not line.startswith("multigraft "):
            return in_a_process(line, where, environment)
        monkeypatch.chdir(where)
        capsys.readouterr()
        code = main(shlex.split(line)[1:])
        said = capsys.readouterr()
        assert code == 0, f"{line}\n{said.out}{said.err}"
        return said.out

    try:
        check(dict(follow(tmp_path, carry_out)))
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] == "multigraft_measures":
                del sys.modules[name]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_followed_in_a_fresh_environment(tmp_path: Path) -> None:
    python = fresh(tmp_path / "venv")
    pip = f"shift; exec {python} -m pip install -q --no-deps --no-index --no-build-isolation"
    environment = {**clean(), "PATH": commands(tmp_path / "bin", python, pip=pip), "NO_COLOR": "1"}
    check(dict(follow(tmp_path, partial(in_a_process, environment=environment))))
    facts = json.loads((tmp_path / TABLE / "runs" / "first" / "run.json").read_text())
    assert facts["owners"]["task"] == {
        "plugin": "measures",
        "version": "0.1.0",
        "distribution": "multigraft-measures",
    }
