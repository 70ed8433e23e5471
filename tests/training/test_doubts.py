"""Doubtful labels of a run: exchanged ones are named first, and written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft.data.chosen_rows import ChosenRows
from multigraft.data.labelled_rows import LabelledRows
from multigraft.errors import DataError, RunError
from multigraft.plugins.catalog import Catalog
from multigraft.training.doubts import _of_enough_rows, doubt_labels

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
    # the probe agrees with the labels but for the exchanged ones, which it finds both ways
    assert found.agreement == pytest.approx(1 - len(flipped) / len(rows), abs=0.02)
    assert {pair[:2] for pair in found.exchanged} == {("fruit", "tools"), ("tools", "fruit")}
    assert sum(count for *_, count in found.exchanged) == len(found.doubted)
    with found.write(tmp_path / "doubts.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["row"] for row in written] == [row.row for row in found.rows]
    assert list(written[0]) == ["row", "given", "likely", "score", "doubted", "value"]


def test_what_cannot_be_doubted_is_told(run: mg.Run) -> None:
    with pytest.raises(RunError, match="did you mean 'validation'"):
        doubt_labels(run, split="validaton")
    with pytest.raises(DataError, match=r"50 folds need 50 rows of each.*; '(fruit|tools)' has"):
        doubt_labels(run, split="test", folds=50)
    for folds in (0, 1, 101, 2.5):
        with pytest.raises(RunError, match="it should be a whole number from 2 to 100"):
            doubt_labels(run, folds=folds)  # type: ignore[arg-type]
    task = Catalog().task("text-regression")
    other: Any = SimpleNamespace(resolved=SimpleNamespace(task=task), rows=run.rows)
    with pytest.raises(RunError, match="'text-regression' learned target and no labels"):
        doubt_labels(other)


def test_labels_of_fewer_rows_than_folds_are_left_out(run: mg.Run) -> None:
    labels = ["a"] * 12 + ["b"] * 11 + ["c"]
    rows = LabelledRows(ChosenRows(run.rows["train"], np.arange(24)), labels)
    kept, rare = _of_enough_rows(rows, 5, "train")
    assert rare == {"c": 1} and kept.labels == labels[:-1]
    assert kept.rows.numbers.tolist() == list(range(23))
    with pytest.raises(DataError, match=r"5 folds need 5 rows.*'a' has 12, 'b' has 2"):
        _of_enough_rows(LabelledRows(rows.rows, ["a"] * 12 + ["b"] * 2), 5, "train")


def test_the_command_names_them(run: mg.Run, tmp_path: Path, capsys: Any) -> None:
    from multigraft.cli import main

    into = tmp_path / "new" / "a.csv"
    assert main(["doubts", str(run.folder), "--into", str(into), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "labels are doubtful" in said and "given 'fruit', likely 'tools'" in said
    assert "the probe agrees with 9" in said
    assert into.is_file()
    assert main(["doubts", str(run.folder), "--into", str(into / "b.csv"), "--quiet"]) != 0
    assert "is a file, not a folder" in capsys.readouterr().err
