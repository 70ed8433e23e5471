"""The page on comparisons: its examples run, and it names every statistic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.test_docs import ROOT, example
from helpers.samples import write_texts
from multigraft.evaluation import statistics

PAGE = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8")


def test_runs_are_compared_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_texts(tmp_path, 40).rename(tmp_path / "reviews.csv")
    write_texts(tmp_path, 30, seed=1).rename(tmp_path / "held_out.csv")
    monkeypatch.chdir(tmp_path)
    exec(example(PAGE, "compare"), {})
    said = capsys.readouterr().out
    assert re.search(r"^\| (full|linear-probe) \| bert-tiny \| .* \| 0 1 \|", said, re.M)
    assert len(re.findall(r"^(?:full|linear-probe)-s[01] accuracy 0\.\d", said, re.M)) == 4


def test_the_statistics_run(capsys: pytest.CaptureFixture[str]) -> None:
    exec(example(PAGE, "statistics"), {})
    said = capsys.readouterr().out
    assert said.count("system ") >= 3
    assert "7066 rows show" in said


def test_every_statistic_is_on_the_page() -> None:
    functions = {name for name in statistics.__all__ if name.islower()}
    inner = {"interval_of", "measured", "paired_bootstrap", "percentile", "quantiles"}
    inner |= {"difference_of", "estimate_of", "resamples", "student", "system_of", "usual_count"}
    assert {name for name in functions - inner if f"`{name}`" not in PAGE} == set()
