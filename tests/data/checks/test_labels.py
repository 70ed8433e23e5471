from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, label_notes, load_table, split_table
from multigraft.errors import DataError, RowError
from multigraft.models.tasks.shared import label_fault, label_name, label_spec
from multigraft.recipe import Split

SplitRows = Callable[..., dict[str, Rows]]


class Named(Objective):
    """Any label, as long as it is one."""

    def encode(self, row: Any, arrays: Any) -> dict[str, np.ndarray]:
        fault = label_fault(row["label"])
        if fault is not None:
            raise RowError(fault, column="label")
        return {"label": np.zeros(())}


class Tagged(Objective):
    """A list of labels a row."""

    def encode(self, row: Any, arrays: Any) -> dict[str, np.ndarray]:
        return {"labels": np.zeros(len(row["label"]))}


@pytest.fixture
def splits(tmp_path: Path, text: Modality, reader: Reader) -> SplitRows:
    """Rows for each split from its labels."""

    def start(objective: Objective | None = None, **labels: list[Any]) -> dict[str, Rows]:
        found = {}
        for split, values in labels.items():
            path = tmp_path / f"{split}.jsonl"
            path.write_text(
                "".join(json.dumps({"text": "a", "label": value}) + "\n" for value in values)
            )
            table = load_table(str(path), modality=text, columns={})
            found[split] = Rows.audit(
                table, reader, objective or Named(), allowed_bad=0.9, name=split
            )
        return found

    return start


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "the label is missing"),
        ("", "the label is missing"),
        (" \t", "the label is missing"),
        (float("nan"), "the label is missing: NaN"),
        (float("inf"), "the label is not finite"),
        (["a"], "the label is a list"),
        ({"a": 1}, "the label is a dict"),
        (b"a", "the label is a bytes"),
    ],
)
def test_a_cell_that_is_no_label(splits: SplitRows, value: Any, fault: str) -> None:
    assert str(label_fault(value)).startswith(fault)
    assert label_spec({"label": ["a", "b", value]}) == {"labels": ["a", "b"], "counts": [1, 1]}
    if not isinstance(value, bytes):
        (problem,) = splits(train=["a", value])["train"].problems
        assert (problem.place, problem.column) == ("train.jsonl row 2", "label")
        assert problem.reason.startswith(fault)


@pytest.mark.parametrize("value", ["a", 0, 3, True, 2.0, 2.5, "nan", "None"])
def test_a_cell_that_is_a_label(value: Any) -> None:
    assert label_fault(value) is None
    assert label_spec({"label": [value, "other"]})["labels"].count(label_name(value)) == 1


def test_labels_that_are_all_equal_are_an_error() -> None:
    with pytest.raises(DataError) as caught:
        label_spec({"label": ["a", "a", None]})
    assert str(caught.value) == (
        "column 'label' holds the label 'a' alone in the training rows: in 1 of 3 the label is "
        "missing; at least 2 labels are needed"
    )


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([["a", "b"], ["b"]], "in 2 of 2 the label is a list; text or a number is needed"),
        ([["a", "b"], ["b"]], "several labels each there are the tasks of several labels"),
        ([float("nan"), None], "in 1 of 2 the label is missing: NaN; in 1 of 2 the label is miss"),
    ],
)
def test_where_no_label_can_be_used_the_reason_is_told(cells: list[Any], said: str) -> None:
    with pytest.raises(DataError, match="holds no label that can be used") as caught:
        label_spec({"label": cells})
    assert said in str(caught.value)


def test_numbers_stand_by_their_value_however_many_digits_they_have() -> None:
    labels = ["b", "7" * 5000, "10", "9", "009", "0", "٣", "a"]
    assert label_spec({"label": labels})["labels"] == [
        "0",
        "٣",
        "009",
        "9",
        "10",
        "7" * 5000,
        "a",
        "b",
    ]


def test_notes_of_thousands_of_long_labels_stay_short(splits: SplitRows) -> None:
    labels = [f"{number:05}" + "7" * 5000 for number in range(300)]
    notes = label_notes(splits(train=labels, test=labels[:1]), labels)
    assert [note[:20] for note in notes] == ["300 of 300 labels ha", "all 1 test rows have"]
    assert max(map(len, notes)) < 1000


SPELLINGS = ["pos ", "\u3000pos", "pos\u00a0\n", "\ufeffpos", " pos\u200b "]


@pytest.mark.parametrize("spelling", [*SPELLINGS, "\u200bpos"])
def test_spaces_and_unseen_signs_around_a_label_make_no_other(
    splits: SplitRows, spelling: str
) -> None:
    assert label_spec({"label": ["pos", spelling, "neg"]}) == {
        "labels": ["neg", "pos"],
        "counts": [1, 2],
    }
    rows = splits(train=["pos", "pos", spelling, "neg", "neg"])
    (note,) = label_notes(rows, ["neg", "pos"])
    assert note == (
        "labels that differ only in spaces around them or in how accents are stored are read as "
        f"one: 'pos' for {spelling!r}"
    )


@pytest.mark.parametrize(
    ("one", "other"), [("caf\u00e9", "cafe\u0301"), ("\u1112\u1161\u11ab", "\ud55c")]
)
def test_a_label_is_the_same_however_its_accents_are_stored(
    splits: SplitRows, one: str, other: str
) -> None:
    assert label_name(one) == label_name(other)
    (note,) = label_notes(splits(train=[one, one, other, other, "x", "x"]), [label_name(one), "x"])
    assert "how accents are stored are read as one" in note


@pytest.mark.parametrize(
    ("one", "other"),
    [("pos", "Pos"), ("a b", "a  b"), ("pos", "po\u200bs"), ("A1", "Ａ１"), ("STRASSE", "straße")],
)
def test_labels_that_look_alike_are_told(splits: SplitRows, one: str, other: str) -> None:
    (note,) = label_notes(splits(train=[one, one, other, other, "x", "x"]), [one, other, "x"])
    assert note == (
        "labels that differ only in case, width or spaces are learned as different ones; where "
        f"they mean the same, write them alike: {one!r}, {other!r}"
    )


def test_labels_that_name_splits_are_told(splits: SplitRows) -> None:
    for labels in (["Test", "train"], ["a-test", "a-train"]):
        (note,) = label_notes(splits(train=labels * 2), labels)
        assert note.startswith(
            f"the labels are names of splits ({labels[0]!r}, {labels[1]!r}); is another"
        )


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet", "folder", "classes"])
def test_every_way_in_joins_them(
    tmp_path: Path, text: Modality, image: Modality, kind: str
) -> None:
    import datasets
    import pyarrow as pa
    from pyarrow import parquet

    labels = ["caf\u00e9", "cafe\u0301", "x", "x "]
    rows = [{"text": "a", "label": label} for label in labels]
    path = tmp_path / f"a.{kind}"
    if kind in ("csv", "tsv"):
        mark = "," if kind == "csv" else "\t"
        path.write_text(f"text{mark}label\n" + "".join(f"a{mark}{label}\n" for label in labels))
    elif kind in ("json", "jsonl"):
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    elif kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "classes":
        path = tmp_path / "a.parquet"
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=labels)}
        )
        numbered = [{"text": "a", "label": number} for number in range(4)]
        datasets.Dataset.from_list(numbered, features=features).to_parquet(path)
    else:
        path = tmp_path / "photos"
        for label in labels:
            (path / label).mkdir(parents=True)
            (path / label / "1.png").touch()
    table = load_table(str(path), modality=image if kind == "folder" else text, columns={})
    assert label_spec({"label": table.cells("label")}) == {
        "labels": ["caf\u00e9", "x"],
        "counts": [2, 2],
    }
    train, _, test = split_table(
        table, Split(validation=0, test=0.5), labels=table.cells("label"), seed=0
    )
    assert {label_name(label) for label in train.column("label")} == {"caf\u00e9", "x"}
    assert len(test) == 2


def test_lone_labels_and_splits_of_one_label_are_told(splits: SplitRows) -> None:
    rows = splits(train=["a", "a", "b", "c", "c"], validation=["a", "a"], test=["a", "b"])
    assert label_notes(rows, ["a", "b", "c", "d"]) == [
        "1 of 4 labels has no training row that can be used, and will hardly be learned: 'd'",
        "1 of 4 labels has a single training row, and will hardly be learned: 'b'",
        "all 2 validation rows have the label 'a', so a score on them says little; give more "
        "rows, a larger share of them under data.split (with stratify: true), or a file with rows "
        "of every label",
    ]


def test_many_lone_labels_are_counted(splits: SplitRows) -> None:
    (note,) = label_notes(splits(train=list("abcdefgh")), list("abcdefgh"))
    assert note.startswith("8 of 8 labels have a single training row")
    assert note.endswith("'a', 'b', 'c', 'd', 'e' and 3 more")


def test_enough_rows_are_not_worth_a_note(splits: SplitRows) -> None:
    assert label_notes(splits(train=["a", "a", "b", "b"], test=["a", "b"]), ["a", "b"]) == []


def test_other_columns_than_labels_are_passed_over(splits: SplitRows) -> None:
    rows = splits(Tagged(), train=[["a", "b"], ["c"]])
    assert len(rows["train"]) == 2
    assert label_notes(rows, ["a", "b", "c"]) == []


def test_a_task_without_labels_is_told_nothing(splits: SplitRows) -> None:
    assert label_notes(splits(train=["a"], test=["a"]), ()) == []
