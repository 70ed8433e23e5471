from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, Splits, load_splits
from multigraft.recipe import Data

Load = Callable[..., Splits]


@pytest.fixture
def load(tmp_path: Path, text: Modality) -> Load:
    """Load splits, each a list of (id, text)."""

    def start(columns: dict[str, str] | None = None, **given: list[tuple[Any, str]]) -> Splits:
        data: dict[str, Any] = {"columns": {"id": "number"} if columns is None else columns}
        for split, rows in given.items():
            path = tmp_path / f"{split}.jsonl"
            path.write_text(
                "".join(json.dumps({"number": i, "text": t, "label": 1}) + "\n" for i, t in rows)
            )
            data[split] = str(path)
        data["split"] = {"validation": 0, "test": 0}
        return load_splits(
            Data.model_validate(data), modality=text, task_columns=(), stratify_by=None, seed=0
        )

    return start


def bad(splits: Splits, split: str, reader: Reader, objective: Objective) -> dict[str, str]:
    rows = Rows.audit(getattr(splits, split), reader, objective, allowed_bad=0.9, name=split)
    assert {problem.column for problem in rows.problems} <= {"id"}
    return {problem.place: problem.reason for problem in rows.problems}


def test_the_second_of_two_equal_ids_is_bad(
    load: Load, reader: Reader, objective: Objective
) -> None:
    splits = load(
        train=[("a", "one"), ("b", "two"), ("a", "three")], test=[("c", "four"), (" b ", "five")]
    )
    assert bad(splits, "train", reader, objective) == {
        "train.jsonl row 3": "column 'id' holds 'a' again, which is also at train.jsonl row 1"
    }
    assert bad(splits, "test", reader, objective) == {
        "test.jsonl row 2": "column 'id' holds ' b ' again, which is also at train.jsonl row 2"
    }


@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan")])
def test_a_missing_id_is_bad_and_equals_no_other(
    load: Load, reader: Reader, objective: Objective, nothing: Any
) -> None:
    splits = load(train=[(nothing, "one"), (nothing, "two"), ("a", "three")])
    assert bad(splits, "train", reader, objective) == dict.fromkeys(
        ("train.jsonl row 1", "train.jsonl row 2"), "column 'id' holds no id"
    )


def test_numbers_and_their_text_are_one_id(
    load: Load, reader: Reader, objective: Objective
) -> None:
    splits = load(
        train=[(7, "one"), (8, "two")], validation=[("7", "three"), (8.0, "four"), (9, "five")]
    )
    assert len(bad(splits, "validation", reader, objective)) == 2


def test_ids_are_looked_at_only_where_told(
    load: Load, reader: Reader, objective: Objective
) -> None:
    splits = load({}, train=[("a", "one"), ("a", "two")])
    assert bad(splits, "train", reader, objective) == {}


def test_the_fingerprint_tells_that_rows_are_bad(load: Load) -> None:
    rows = [("a", "one"), ("a", "two")]
    assert load(train=rows).train.fingerprint != load({}, train=rows).train.fingerprint
    assert load(train=rows).train.fingerprint == load(train=rows).train.fingerprint
