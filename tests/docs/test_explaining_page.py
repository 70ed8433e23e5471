"""The page on explanations: its example runs, and it names every method."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.test_docs import ROOT, example
from helpers.explained_runs import tiny
from multigraft.plugins.catalog import Catalog

PAGE = (ROOT / "docs" / "explaining.md").read_text(encoding="utf-8")


def test_a_run_and_its_bundle_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "reviews").symlink_to(tiny("text").run.folder)
    monkeypatch.chdir(tmp_path)
    exec(example(PAGE, "explain"), {})
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"-?[\d.e-]+ \[.*\]", lines[0])
    assert [line.split()[0] for line in lines[2:]] == ["a", "fine", "film"]


def test_every_method_is_on_the_page() -> None:
    for explainer in Catalog(discover=False).explainers():
        assert f"| `{explainer.name}` |" in PAGE
        assert all(
            f"`{name}`" in PAGE or name in ("width", "ridge", "steps", "tolerance")
            for name in explainer.options
        )
