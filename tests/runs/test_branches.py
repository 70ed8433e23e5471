"""Runs of several branches: what goes on from one, and what makes two of them equal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from helpers import captioned
from multigraft.engine import Engine
from multigraft.runs.compare import compare
from multigraft.runs.run import Run

BOTH = {"words": "wordnet-tiny", "grey": "lattice-tiny"}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    lines = [
        {"words": row["words"], "grey": row["grey"], "label": "ab"[index % 2]}
        for index, row in enumerate(captioned.rows(24))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def start(room: Path, name: str, backbone: Any, **training: Any) -> Run:
    recipe = {
        "task": "classification",
        "backbone": backbone,
        "data": {"train": str(room / "rows.jsonl"), "split": {"validation": 0, "test": 0.25}},
        "training": {"steps": 2, "batch_size": 8, "compile": "off", "workers": 0, **training},
        "evaluation": {"bootstrap": 0},
        "output": str(room / name),
    }
    return Engine([captioned], discover=False, strict=True).start(recipe, "finetune")


@pytest.fixture(scope="module")
def parent(room: Path) -> Run:
    return start(room, "parent", BOTH, learning_rate=0.05)


def going_on(parent: Run, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"name": BOTH[name], "weights": str(parent.folder)} for name in names}


def test_a_run_goes_on_with_the_head_of_its_branches(room: Path, parent: Run) -> None:
    child = start(room, "same", going_on(parent, ("words", "grey")), learning_rate=1e-9)
    assert child.facts["head_inherited"] is True
    scores = [run.evaluate().metrics["loss"].value for run in (parent, child)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_in_another_order_the_head_is_new(room: Path, parent: Run) -> None:
    """Their widths together are the same, but each column of the head belongs to a branch."""
    child = start(room, "turned", going_on(parent, ("grey", "words")))
    assert child.facts["head_inherited"] is False


def test_with_another_branch_the_head_is_new(room: Path, parent: Run) -> None:
    backbone = {**going_on(parent, ("words",)), "grey": {"name": "lattice-tiny"}}
    assert start(room, "part", backbone).facts["head_inherited"] is False


def test_weights_of_every_branch_are_compared(room: Path, parent: Run, tmp_path: Path) -> None:
    copied = shutil.copytree(parent.folder, tmp_path / "copy")
    assert compare(parent.folder, copied).equal
    path = copied / "model" / "words" / "model.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, path)
    found = compare(parent.folder, copied)
    assert not found.equal and found.weights["words/model.safetensors"] == pytest.approx(1)


def test_what_rows_lack_is_counted(room: Path) -> None:
    lines = [json.loads(line) for line in (room / "rows.jsonl").read_text().splitlines()]
    for line in lines[:9]:
        line["grey"] = None
    (room / "lacking.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = {
        "task": "classification",
        "backbone": BOTH,
        "data": {
            "train": str(room / "lacking.jsonl"),
            "missing": "allow",
            "split": {"validation": 0, "test": 0},
        },
        "training": {"steps": 1, "batch_size": 8, "compile": "off", "workers": 0},
        "output": str(room / "lacking"),
    }
    run = Engine([captioned], discover=False, strict=True).start(recipe, "finetune")
    assert "train: 9 of 24 rows have no 'grey'" in run.facts["notes"]
    assert run.report is not None and "train: 9 of 24 rows have no 'grey'" in run.report.notes
