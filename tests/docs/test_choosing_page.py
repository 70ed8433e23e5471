"""The page on choosing: its examples run, and it names every score and says what they are worth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.test_docs import ROOT, example
from helpers.samples import write_texts
from multigraft.choosing.scores import SCORES
from multigraft.recipe import Data

PAGE = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")


def test_its_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_texts(tmp_path, 40).rename(tmp_path / "reviews.csv")
    write_texts(tmp_path, 40, seed=1).rename(tmp_path / "films.csv")
    monkeypatch.chdir(tmp_path)
    exec(example(PAGE, "choose"), {})
    said = capsys.readouterr().out
    assert re.search(r"^\| (small|causal) \|", said, re.M)
    assert "is first by linear probe" in said
    exec(example(PAGE, "distance"), {})
    assert re.search(r"^[01]\.\d+ [01]\.\d+ [01]\.\d+$", capsys.readouterr().out, re.M)


def test_every_score_is_told() -> None:
    table = PAGE.split("## The scores")[1].split("\n- ")[0]
    assert [name for name in SCORES if f"| `{name}` |" not in table] == []


def test_its_recipes_are_ones() -> None:
    import yaml

    found = re.findall(r"```yaml\n(data:.*?)```", PAGE, re.S)
    assert len(found) == 2
    for text in found:
        Data.model_validate(yaml.safe_load(text)["data"])
