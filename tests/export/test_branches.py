"""Exports of several branches where few rows have all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers import captioned
from multigraft.engine import Engine
from multigraft.errors import ExportError
from multigraft.runtime import load


def run(folder: Path, whole: tuple[int, ...]) -> Any:
    """A run of one step whose test rows, the last 4 of 16, have one branch each."""
    folder.mkdir()
    lines = []
    for index, row in enumerate(captioned.rows(16)):
        words, grey = (True, True) if index in whole else (index % 2 == 0, index % 2 == 1)
        lines.append(
            {
                "words": row["words"] if words else None,
                "grey": row["grey"] if grey else None,
                "label": "ab"[index // 2 % 2],
            }
        )
    for name, part in (("train", lines[:12]), ("test", lines[12:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in part))
    recipe = {
        "task": "classification",
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "data": {
            "train": str(folder / "train.jsonl"),
            "test": str(folder / "test.jsonl"),
            "missing": "allow",
            "split": {"validation": 0.0},
        },
        "training": {"steps": 1, "batch_size": 4, "compile": "off", "workers": 0},
        "evaluation": {"bootstrap": 0},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / "run"),
    }
    return Engine([captioned], discover=False, strict=True).start(recipe, "finetune")


def test_one_whole_row_of_training_is_enough(tmp_path: Path) -> None:
    made = run(tmp_path / "one", whole=(3,))
    bundle = made.export().files["bundle"]
    answers = load(bundle, catalog=made.catalog).predict([{"words": "Ada"}, {"grey": "12/34"}])
    assert all(set(answer["scores"]) == {"a", "b"} for answer in answers)


def test_without_a_whole_row_it_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    made = run(tmp_path / "none", whole=())
    with pytest.raises(ExportError, match="has a value of every branch"):
        made.export()
    assert not (made.folder / "bundle").exists()
