"""``compare`` and ``runs`` on the command line: what they print, and what they say of mistakes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from helpers.evaluated_runs import write_run
from multigraft.cli.compare import Sort
from multigraft.runs.listing import SORTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(3):
        write_run(tmp_path / f"full-s{seed}", 0.8, seed=seed)
    write_run(tmp_path / "probe", 0.6, strategy="linear-probe")
    return tmp_path


def runs_in(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir())]


def test_a_table_says_which_is_best_and_by_how_much(cli: Any, folder: Path) -> None:
    said = cli("compare", *runs_in(folder))
    assert said.code == 0, said.err
    assert said.out.index("full") < said.out.index("probe")
    assert "difference to full" in said.out
    assert "there is one difference" in said.out
    write_run(folder / "third", 0.7, strategy="partial")
    assert "all 3 pairs" in cli("compare", *runs_in(folder)).out
    assert "full: 3 runs that differ by the seed alone" in " ".join(said.out.split())


def test_each_form_holds_the_same_lines(cli: Any, folder: Path) -> None:
    runs = runs_in(folder)
    found = json.loads(cli("compare", *runs, "--json").out)
    names = [each["name"] for each in found["runs"]]
    assert names == ["full", "probe"]
    table = list(csv.reader(io.StringIO(cli("compare", *runs, "--csv").out)))
    assert [line[0] for line in table[1:]] == names
    markdown = cli("compare", *runs, "--markdown").out.splitlines()
    assert [line.split("|")[1].strip() for line in markdown[2:]] == names
    latex = cli("compare", *runs, "--latex").out
    assert latex.startswith("\\begin{tabular}")
    assert found["runs"][1]["difference"]["value"] < 0


def test_a_baseline_and_a_metric_are_named(cli: Any, folder: Path) -> None:
    said = cli(
        "compare",
        *runs_in(folder),
        "--baseline",
        str(folder / "probe"),
        "--metric",
        "loss",
        "--json",
    )
    found = json.loads(said.out)
    assert (found["reference"], found["metric"], found["greater"]) == ("probe", "loss", False)
    assert found["chosen"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--csv", "--latex"), 2, "give one of them"),
        (("--metric", "f1"), 1, "has no metric 'f1'"),
        (("--baseline", "elsewhere"), 1, "is none of the runs"),
        (("--data", "books"), 1, "--data FILE --name books"),
    ],
)
def test_mistakes_are_told(
    cli: Any, folder: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    said = cli("compare", *runs_in(folder), *arguments)
    assert said.code == code
    assert told in " ".join(said.err.split())
    assert not said.out


def test_runs_are_listed_and_sorted(cli: Any, folder: Path) -> None:
    found = json.loads(cli("runs", str(folder), "--sort", "seed", "--reverse", "--json").out)
    assert [each["seed"] for each in found] == [2, 1, 0, 0]
    said = cli("runs", str(folder))
    assert said.code == 0, said.err
    assert "4 runs in" in said.out
    assert cli("runs", str(folder / "none")).code == 1
    assert cli("runs", str(folder), "--sort", "colour").code == 2
    assert [each.value for each in Sort] == list(SORTS)


def test_a_folder_is_its_leaderboard_and_lists_are_exported(cli: Any, folder: Path) -> None:
    alone = json.loads(cli("compare", str(folder), "--json").out)
    assert alone == json.loads(cli("compare", *runs_in(folder), "--json").out)
    table = list(csv.reader(io.StringIO(cli("runs", str(folder), "--csv").out)))
    assert [line[0] for line in table] == ["run", "full-s0", "full-s1", "full-s2", "probe"]
    assert "| probe |" in cli("runs", str(folder), "--markdown").out
    assert cli("runs", str(folder), "--latex").out.startswith("\\begin{tabular}")
    assert cli("runs", str(folder), "--latex", "--json").code == 2
