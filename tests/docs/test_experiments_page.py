"""The page of experiments says what is so: its grid is right, and every field is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from helpers.samples import write_texts
from multigraft.experiments.fields import Grid
from multigraft.experiments.search.space import Dimension, Search

PAGE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    found = re.search(r"<!-- test: grid -->\n```yaml\n(.*?)```", PAGE, re.S)
    assert found
    for name in ("books", "films"):
        for end in ("", "-test"):
            write_texts(tmp_path, 20).rename(tmp_path / f"{name}{end}.csv")
    monkeypatch.chdir(tmp_path)
    Path("grid.yaml").write_text(found[1], encoding="utf-8")
    return found[1]


def test_the_grid_makes_the_cells_that_it_says(grid: str) -> None:
    from multigraft.cli.app import build

    line = next(line for line in PAGE.splitlines() if "--dry-run" in line)
    words = shlex.split(line.split("#")[0])[1:]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    cells = [line for line in done.output.splitlines() if line.startswith(("books-", "films-"))]
    assert len(cells) == 2 * 2 * 3
    Grid.model_validate(yaml.safe_load(grid))


def test_the_search_is_one(grid: str) -> None:
    from multigraft.experiments.plan import read_plan
    from multigraft.plugins.catalog import Catalog

    found = re.search(r"<!-- test: search -->\n```yaml\n(.*?)```", PAGE, re.S)
    assert found
    Path("search.yaml").write_text(found[1], encoding="utf-8")
    plan = read_plan("search.yaml", Catalog())
    assert [study.name for study in plan.studies] == ["books, full", "books, lora"]
    assert [len(study.finals) for study in plan.studies] == [3, 3]


def test_each_domain_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from multigraft.experiments.plan import read_plan
    from multigraft.plugins.catalog import Catalog

    found = re.search(r"<!-- test: leave-one-out -->\n```yaml\n(.*?)```", PAGE, re.S)
    assert found
    for name in ("tweets", "films", "news", "news-test"):
        write_texts(tmp_path, 20).rename(tmp_path / f"{name}.csv")
    monkeypatch.chdir(tmp_path)
    plan = read_plan(yaml.safe_load(found[1]), Catalog())
    assert {run.cell.data for run in plan.runs} == {
        "all but tweets",
        "all but films",
        "all but news",
    }
    assert len(plan.runs) == 3 * 2 * 3
    tested = {each.name: Path(str(each.source)).name for each in plan.domains}
    assert tested == {"tweets": "tweets.csv", "films": "films.csv", "news": "news-test.csv"}


def test_every_field_of_a_search_is_told() -> None:
    table = PAGE.split("## Search")[1].split("\n- ")[0]
    names = [*Search.model_fields, *Dimension.model_fields]
    assert [name for name in names if f"`{name}`" not in table] == []


def test_every_field_of_a_grid_is_told() -> None:
    table = PAGE.split("## The grid")[1].split("\n- ")[0]
    assert [name for name in Grid.model_fields if f"`{name}`" not in table] == []
