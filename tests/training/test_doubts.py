"""Doubtful labels of a run: exchanged ones are named first, and written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft.errors import DataError, RunError
from multigraft.training.doubts import doubt_labels

ROWS, FLIPPED = 200, 10


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """Texts of two kinds of words, the labels of some exchanged; nothing is learned."""
    folder = tmp_path_factory.mktemp("doubts")
    rng = np.random.default_rng(0)
    words = {"fruit": "apple pear plum cherry".split(), "tools": "hammer saw drill file".split()}
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for row in range(ROWS):
            kind, other = ("fruit", "tools")[:: 1 if row % 2 else -1]
            text = " ".join(rng.choice(words[kind], 8))
            label = other if row < FLIPPED else kind
            file.write(json.dumps({"text": f"{text} {row}", "label": label}) + "\n")
    return mg.finetune(
        task="text-classification",
        backbone="bert-tiny",
        data={"train": str(path), "split": {"test": 0.1, "validation": 0.1}},
        strategy="linear-probe",
        training={"epochs": 0},
        output=str(folder / "run"),
        quiet=True,
    )


def test_exchanged_labels_come_first(run: mg.Run, tmp_path: Path) -> None:
    found = doubt_labels(run)
    rows = [int(row.row.rsplit(" ", 1)[1]) for row in found.rows]
    flipped = [row for row in rows if row <= FLIPPED]
    named = rows[: len(rows) // 10]
    assert len(set(named) & set(flipped)) >= 0.7 * len(flipped)
    first = found.rows[0]
    assert first.doubted and first.given != first.likely and first.score < 0.5
    with found.write(tmp_path / "doubts.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["row"] for row in written] == [row.row for row in found.rows]
    assert list(written[0]) == ["row", "given", "likely", "score", "doubted", "value"]


def test_what_cannot_be_doubted_is_told(run: mg.Run) -> None:
    with pytest.raises(RunError, match="did you mean 'validation'"):
        doubt_labels(run, split="validaton")
    with pytest.raises(DataError, match="50 folds need 50 rows of each"):
        doubt_labels(run, split="test", folds=50)


def test_the_command_names_them(run: mg.Run, tmp_path: Path, capsys: Any) -> None:
    from multigraft.cli import main

    assert main(["doubts", str(run.folder), "--into", str(tmp_path / "a.csv"), "--quiet"]) == 0
    assert "labels are doubtful" in capsys.readouterr().out
    assert (tmp_path / "a.csv").is_file()
