"""``multigraft explain``: of a run and of a bundle, shown, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from helpers.explained_runs import tiny
from multigraft.cli import explained_rows
from multigraft.contracts.units import Units
from multigraft.runtime.explain.explanation import Explanation


def test_a_bundle_is_explained_on_the_console_and_into_a_folder(cli: Any, tmp_path: Path) -> None:
    made = tiny("text")
    said = cli("explain", str(made.bundle), "a great film", "some day", "--into", str(tmp_path))
    assert said.code == 0, said.err
    assert "great" in said.out
    assert "deletion gain" in said.out
    assert (tmp_path / "explanations.html").is_file()
    record = json.loads((tmp_path / "explanations.json").read_text())
    assert [row["row"] for row in record["rows"]] == ["a great film", "some day"]
    assert sorted(each.name for each in made.bundle.iterdir()) == sorted(
        each.name for each in made.bundle.iterdir() if "explanations" not in each.name
    ), "a bundle gets no further files"


def test_a_run_is_explained_by_its_held_out_rows(cli: Any, tmp_path: Path) -> None:
    made = tiny("text")
    asked = ["--rows", "2", "--method", "lime", "--ask", "samples=32", "--unchecked"]
    said = cli("explain", str(made.run.folder), *asked, "--into", str(tmp_path), "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert len(found["rows"]) == 2
    assert found["rows"][0]["explanations"]["lime"]["calls"] == 34
    assert "r2" in found["measures"]


def test_rows_of_a_table_are_drawn(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "more.csv"
    data.write_text("text\na great film\nan awful day\nsome river\n")
    made = tiny("text")
    for where in (made.bundle, made.run.folder):
        asked = ["--data", str(data), "--rows", "2", "--unchecked", "--json"]
        said = cli("explain", str(where), *asked, "--into", str(tmp_path / "why"))
        assert said.code == 0, said.err
        assert len(json.loads(said.out)["rows"]) == 2


def test_what_is_missing_is_told(cli: Any) -> None:
    made = tiny("text")
    said = cli("explain", str(made.bundle))
    assert said.code == 2 and "a bundle has no rows of its own" in said.err
    said = cli("explain", str(made.bundle), "a film", "--method", "grad-cam")
    assert said.code == 1 and "asks for gradients" in said.err
    said = cli("explain", str(made.bundle), "a film", "--data", "x.csv")
    assert said.code == 2 and "leave the other inputs out" in said.err
    said = cli("explain", str(made.bundle), "a film", "--wrong")
    assert said.code == 2 and "--wrong is about the held-out rows of a run" in said.err


def test_rows_of_a_run_take_a_line_each(cli: Any, tmp_path: Path) -> None:
    made = tiny("text")
    asked = ["--rows", "5", "--unchecked", "--method", "occlusion", "--method", "gradient-x-input"]
    said = cli("explain", str(made.run.folder), *asked, "--into", str(tmp_path))
    assert said.code == 0, said.err
    listed = said.out[: said.out.index("Explanations:")].strip().splitlines()
    assert len(listed) == 2 + 5, "a heading, a rule, and the rows"
    assert "due to (occlusion" in listed[0]
    assert str(tmp_path / "explanations.html") in "".join(said.out.split())


def test_tiny_weights_are_not_named() -> None:
    places = np.array([[0, 0, 1], [0, 2, 3], [0, 4, 5]])
    units = Units(kind="words", names=("a", "b", "c"), places=places, hide=lambda hidden: {})
    found = Explanation(
        **{"method": "occlusion", "of": "good", "value": 0.9, "hidden": 0.1, "answer": {}},
        **{"units": {"": units}, "weights": np.array([0.5, 0.004, -0.2]), "calls": 4},
        seconds=0.1,
    )
    assert explained_rows._strongest(found) == "+a, -c"
    assert explained_rows._named(found, 1) == "a +0.5"
