"""``prepare``: a trial, the corpus, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.corpora import planted, write_lines


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a corpus and a recipe."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "rows.jsonl", [*planted(40, share=0.3).texts, "short", "short"])
    (tmp_path / "clean.yaml").write_text(
        "source: rows.jsonl\nsteps: [exact-duplicates, {name: length, low: 30}]\n"
    )
    return tmp_path


def test_a_trial_writes_nothing(cli: Any, desk: Path) -> None:
    said = cli("prepare", "clean.yaml", "--dry-run", "--json")
    told = json.loads(said.out)
    assert told["rows_read"] == 42
    assert told["steps"][0]["dropped"] == {"a duplicate": 1}
    assert told["steps"][1]["dropped"] == {"fewer than 30 characters": 1}
    assert not (desk / "prepared").exists()
    assert "fewer than 30 characters" in cli("prepare", "clean.yaml", "--dry-run").out


def test_a_corpus_is_prepared(cli: Any, desk: Path) -> None:
    said = cli("prepare", "clean.yaml", "--workers", "1", "--set", "split.test=0.2")
    assert said.code == 0, said.err
    assert "40 of 42 rows are kept" in said.out
    assert (desk / "prepared" / "clean" / "report.html").is_file()
    told = json.loads(
        cli("prepare", "clean.yaml", "--workers", "1", "--set", "split.test=0.2", "--json").out
    )
    assert told["data"]["test"].endswith("prepared/clean/test")
    assert sum(told["rows"].values()) == 40


def test_mistakes_end_with_exit_code_2(cli: Any, desk: Path) -> None:
    said = cli("prepare", "clean.yaml", "--set", "steps=[lenght]", "--set", "shards=1")
    assert said.code == 2
    assert "clean.yaml: 2 problems" in said.err
    assert "unknown filter 'lenght': did you mean 'length'?" in said.err
    assert cli("prepare").code == 2


def test_fields_are_enough(cli: Any, desk: Path) -> None:
    said = cli("prepare", "--set", "source=rows.jsonl", "--set", "steps=[exact-duplicates]")
    assert said.code == 0, said.err
    assert (desk / "prepared" / "corpus" / "manifest.json").is_file()
    assert "recipe: 1 problem" in cli("prepare", "--set", "source=rows.jsonl", "--set", "x=1").err


def test_the_filters_are_listed(cli: Any) -> None:
    told = json.loads(cli("prepare", "--list", "--json").out)
    names = [each["name"] for each in told]
    assert {"near-duplicates", "gopher-words", "mask-emails"} <= set(names)
    assert len(cli("prepare", "--list").out.splitlines()) == len(names)
