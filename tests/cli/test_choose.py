"""``choose`` and ``distance`` on the command line: what they are given, print and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.samples import write_texts


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    data = write_texts(tmp_path, 40)
    path = tmp_path / "recipe.yaml"
    path.write_text(f"task: text-classification\ndata: {data}\n")
    return str(path)


def test_backbones_follow_among_and_their_weights_an_equals_sign(
    cli: Callable[..., Any], recipe: str
) -> None:
    words = ("choose", recipe, "--among", "bert-tiny=scratch", "{name: gpt-tiny, weights: scratch}")
    said = cli(*words)
    assert said.code == 0, said.err
    for word in (
        "bert-tiny",
        "gpt-tiny",
        "LogME",
        "H-score",
        "linear probe",
        "parameters",
        "advice",
    ):
        assert word in said.out
    found = json.loads(cli(*words, "--by", "knn", "--rows", "30", "--json").out)
    assert (found["by"], found["rows"]) == ("knn", 30)
    assert sorted(each["name"] for each in found["backbones"]) == ["bert-tiny", "gpt-tiny"]
    heading = cli(*words, "--markdown").out.splitlines()[0]
    assert heading.startswith("| backbone | LogME |")
    assert cli(*words, "--markdown", "--json").code == 2


def test_mistakes_end_with_two_and_a_hint(cli: Callable[..., Any], recipe: str) -> None:
    alone = cli("choose", recipe, "--among", "bert-tiny")
    assert (alone.code, "name two backbones or more" in alone.err) == (2, True)
    wrong = cli("choose", recipe, "--among", "bert-tny=scratch", "gpt-tiny")
    assert (wrong.code, "did you mean 'bert-tiny'" in wrong.err) == (2, True)


def test_the_distance_of_two_files(cli: Callable[..., Any], tmp_path: Path) -> None:
    one = write_texts(tmp_path / "one", 30)
    other = tmp_path / "other.csv"
    other.write_text("review\n" + "".join(f"{row} {row} {row}\n" for row in range(30)))
    words = ("distance", str(one), str(other), "--backbone", "bert-tiny=scratch")
    refused = cli(*words)
    assert (refused.code, "text" in refused.err) == (1, True)
    other.write_text(other.read_text().replace("review", "text"))
    said = cli(*words)
    assert said.code == 0, said.err
    assert "proxy A-distance" in said.out
    assert json.loads(cli(*words, "--json").out)["test"]["rows"] == 30
