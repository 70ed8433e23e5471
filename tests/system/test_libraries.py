"""What libraries are told before they are imported, and by whom: no import of ours tells them."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import multigraft as mg
from multigraft.system import libraries
from multigraft.system.libraries import COMPILERS, ONNXRUNTIME, SWITCHES
from security.watched import environment

CHANGED = """
import json, os, sys
before = dict(os.environ)
exec(sys.argv[1])
print(json.dumps({name: value for name, value in os.environ.items() if before.get(name) != value}))
"""


def changed(code: str, home: Path, **variables: str) -> dict[str, str]:
    """The variables that a few lines of Python set in a process of their own."""
    env = environment(home, PYTHONPATH=os.pathsep.join(sys.path), **variables)
    done = subprocess.run(
        [sys.executable, "-c", CHANGED, code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_an_import_of_ours_changes_no_variable(tmp_path: Path) -> None:
    modules = (
        "multigraft, multigraft.runtime, multigraft.plugins.catalog, multigraft.cli.app, "
        "multigraft.export"
    )
    found = changed(f"import {modules}", tmp_path)
    assert not found.keys() & SWITCHES.keys()


def test_what_loads_plugins_or_a_graph_switches_reports_off_before(tmp_path: Path) -> None:
    for code in (
        "import multigraft as mg; mg.Catalog(discover=False)",
        "from multigraft.runtime.providers import provider_names; provider_names(None)",
    ):
        assert changed(code, tmp_path) == dict(SWITCHES)
    assert not (tmp_path / ".cache").exists()


def test_a_persons_word_stays(tmp_path: Path) -> None:
    code = "import multigraft as mg; mg.Catalog(discover=False)"
    assert ONNXRUNTIME not in changed(code, tmp_path, **{ONNXRUNTIME: "0"})


def test_what_reports_already_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    libraries.onnxruntime()
    assert not caplog.records
    monkeypatch.delenv(ONNXRUNTIME)
    libraries.onnxruntime()
    assert "set ORT_DISABLE_TELEMETRY=1 before it is imported" in caplog.text
    caplog.clear()
    libraries.onnxruntime()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_compilers_keep_what_they_make_in_the_cache(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COMPILERS, raising=False)
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(cache_folder / "own"))
    mg.Engine(discover=False)
    assert os.environ[COMPILERS] == str(cache_folder / "own" / "compiled")
    assert stat.S_IMODE((cache_folder / "own").stat().st_mode) == 0o700


@pytest.mark.parametrize("why", ["said", "none", "refused"])
def test_compilers_keep_their_own_folder_where_there_is_a_reason(
    why: str, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COMPILERS, raising=False)
    if why == "said":
        monkeypatch.setenv(COMPILERS, "/somewhere")
    elif why == "none":
        monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0")
    else:
        (cache_folder / "file").touch()
        monkeypatch.setenv("MULTIGRAFT_CACHE", str(cache_folder / "file"))
    libraries.house_compilers()
    assert os.environ.get(COMPILERS) == ("/somewhere" if why == "said" else None)


def test_tqdm_does_not_ask_for_widgets_that_nobody_needs() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        libraries.switch_off_reports()
        warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(each.message) for each in said] == ["something else"]
