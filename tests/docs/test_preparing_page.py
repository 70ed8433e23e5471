"""The pages on preparation say what is so: recipes are right, programs run, filters are as told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from helpers.corpora import planted
from helpers.samples import write_texts
from multigraft.data.prepare.fields import Preparation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "preparing.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", PAGE, re.S)
    assert found
    return found[1]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a crawl, a test set, and labelled texts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crawl").mkdir()
    texts = planted(60, share=0.2).texts
    for part in range(2):
        lines = [json.dumps({"body": text}) + "\n" for text in texts[part::2]]
        (tmp_path / "crawl" / f"{part}.jsonl").write_text("".join(lines))
    (tmp_path / "test.jsonl").write_text(json.dumps({"text": texts[0]}) + "\n")
    write_texts(tmp_path, 80).rename(tmp_path / "reviews.csv")
    return tmp_path


def test_the_recipe_is_right(desk: Path) -> None:
    from multigraft.cli.app import build

    recipe = yaml.safe_load(example("recipe"))
    Preparation.model_validate(recipe)
    recipe["steps"] = [each for each in recipe["steps"] if "language" not in str(each)]
    (desk / "clean.yaml").write_text(yaml.safe_dump(recipe))
    line = next(line for line in PAGE.splitlines() if "--dry-run" in line)
    words = line.split("#")[0].split()[1:]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    assert "decontaminate" in done.output


def test_a_corpus_is_prepared_and_learned_from(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(example("python"), {})
    assert "near-duplicates" in capsys.readouterr().out
    assert (desk / "runs" / "small" / "model").is_dir()


def test_labels_are_doubted(desk: Path) -> None:
    exec(example("doubts"), {})
    assert len((desk / "doubts.csv").read_text().splitlines()) > 50


def test_every_field_is_told() -> None:
    table = PAGE.split("## The recipe")[1].split("\nEvery mistake")[0]
    assert [name for name in Preparation.model_fields if f"`{name}`" not in table] == []


def test_the_page_of_filters_is_made_of_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "website"))
    import filters

    told = (ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
    assert told == filters.page(), "write it anew: python docs/website/filters.py"
