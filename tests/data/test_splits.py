from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.records import Modality
from multigraft.data import Splits, load_splits
from multigraft.errors import DataError, RowError
from multigraft.recipe import Data


def load(data: Data, text: Modality, seed: int = 0, base: Path | None = None) -> Splits:
    return load_splits(
        data, modality=text, task_columns=("label",), stratify_by="label", seed=seed, base=base
    )


def test_any_column_keeps_its_shares(tmp_path: Path, text: Modality) -> None:
    """The column that the task names, whatever it is called."""
    path = tmp_path / "a.csv"
    rare = "".join(f"t{row},{'rare' if row % 10 == 0 else 'common'}\n" for row in range(100))
    path.write_text("text,kind\n" + rare)
    for stratify_by, counts in (("kind", {1}), (None, {0, 1, 2})):
        found = set()
        for seed in range(12):
            splits = load_splits(
                Data(train=str(path)),
                modality=text,
                task_columns=("kind",),
                stratify_by=stratify_by,
                seed=seed,
            )
            found.add(splits.validation.column("kind").count("rare"))
        assert found <= {1} if stratify_by else len(found & counts) > 1


def attached(data: Data, text: Modality, **asked: Any) -> Splits:
    return load_splits(
        data, modality=text, task_columns=("mask",), stratify_by=None, seed=0, **asked
    )


def test_a_column_of_files_is_resolved_and_counted_by_content(
    tmp_path: Path, text: Modality
) -> None:
    (tmp_path / "a.csv").write_text(
        "text,mask\n" + "".join(f"t{row},masks/{row}\n" for row in range(10))
    )
    (tmp_path / "masks").mkdir()
    for row in range(10):
        (tmp_path / "masks" / str(row)).write_text(f"mask {row}")
    data = Data(train="a.csv")

    def fingerprint(**asked: Any) -> str:
        return str(attached(data, text, base=tmp_path, **asked).facts["train"]["fingerprint"])

    splits = attached(data, text, base=tmp_path, files=("mask",))
    row, raw = splits.train.target_row(0), splits.train.row(0)
    assert row["mask"] == str(tmp_path / raw["mask"])
    assert raw["mask"].startswith("masks/")
    before = fingerprint(files=("mask",)), fingerprint()
    (tmp_path / raw["mask"]).write_text("another mask")
    after = fingerprint(files=("mask",)), fingerprint()
    assert before[0] != after[0]
    assert before[1] == after[1]  # a name without an ending is a text, where it is not declared


def test_a_file_outside_the_datas_folder_is_that_rows_error(tmp_path: Path, text: Modality) -> None:
    lines = "".join(f"t{row},../secret\n" for row in range(10))
    (tmp_path / "a.csv").write_text("text,mask\n" + lines)
    splits = attached(Data(train="a.csv"), text, base=tmp_path, files=("mask",))
    with pytest.raises(RowError, match="leaves the data's folder") as error:
        splits.train.target_row(0)
    assert error.value.column == "mask"


def test_rows_are_rewritten_before_their_columns_are_looked_for(
    tmp_path: Path, text: Modality
) -> None:
    lines = [f"t{row},{row}" for row in range(9)]
    (tmp_path / "a.csv").write_text("\n".join(["text,number", *lines, "t9,odd"]))

    def rewrite(row: Mapping[str, Any]) -> Mapping[str, Any]:
        if not row["number"].isdigit():
            raise RowError("the number is none")
        return {"text": row["text"].upper(), "mask": int(row["number"]) * 2}

    splits = attached(
        Data.model_validate({"train": "a.csv", "split": {"validation": 0, "test": 0}}),
        text,
        base=tmp_path,
        rewrite=rewrite,
    )
    table = splits.train
    assert (table.row(3), table.place(3)) == ({"text": "T3", "mask": 6}, "a.csv row 4")
    assert (table.raw(3), table.problem(9)) == ("T3", "the number is none")
    assert table.row(9) == {"text": None, "mask": None}  # nothing is learned of a refused row
    assert table.as_read(9) == {"text": "t9", "number": "odd"}
    assert table.as_read(3) == table.row(3)

    def refuse(row: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RowError("is nothing")

    with pytest.raises(DataError, match=r"first, a\.csv row 1: is nothing"):
        attached(Data(train="a.csv"), text, base=tmp_path, rewrite=refuse)


def write(path: Path, rows: int, start: int = 0) -> str:
    path.write_text("text,label\n" + "".join(f"t{start + row},{row % 2}\n" for row in range(rows)))
    return str(path)


def test_parts_are_cut_from_training(tmp_path: Path, text: Modality) -> None:
    splits = load(Data(train=write(tmp_path / "a.csv", 100)), text)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [80, 10, 10]
    assert splits.test.column("label").count("1") == 5
    assert splits.notes == ()
    assert splits.facts["test"] == {
        "rows": 10,
        "source": "a.csv",
        "fingerprint": splits.test.fingerprint,
    }
    assert json.loads(json.dumps(splits.facts)) == splits.facts


def test_own_files_are_taken_whole(tmp_path: Path, text: Modality) -> None:
    write(tmp_path / "a.csv", 100)
    write(tmp_path / "b.csv", 30, start=200)
    data = Data(train="a.csv", test="b.csv")
    splits = load(data, text, base=tmp_path)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [90, 10, 30]
    assert splits.test.place(0) == "b.csv row 1"


def test_a_part_with_no_share_is_empty(tmp_path: Path, text: Modality) -> None:
    data = Data.model_validate({"train": write(tmp_path / "a.csv", 10), "split": {"test": 0}})
    splits = load(data, text)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [9, 1, 0]


def test_the_seed_decides(tmp_path: Path, text: Modality) -> None:
    data = Data(train=write(tmp_path / "a.csv", 100))
    drawn = [load(data, text, seed=seed).test.indices.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_limit_is_for_training_rows(tmp_path: Path, text: Modality) -> None:
    path = write(tmp_path / "a.csv", 100)
    limited, whole = (load(Data(train=path, limit=limit), text) for limit in (20, None))
    assert len(limited.train) == 20
    assert limited.train.column("label").count("0") == 10
    assert set(limited.train.indices) < set(whole.train.indices)
    assert limited.test.indices.tolist() == whole.test.indices.tolist()


def test_held_out_rows_have_a_limit_of_their_own(tmp_path: Path, text: Modality) -> None:
    path, other = write(tmp_path / "a.csv", 100), write(tmp_path / "b.csv", 40, start=200)
    data = Data(train=path, test=other, limit_held_out=6)
    limited, whole = load(data, text), load(Data(train=path, test=other), text)
    assert (len(limited.validation), len(limited.test)) == (6, 6)
    assert limited.test.column("label").count("0") == 3
    assert set(limited.test.indices) < set(whole.test.indices)
    assert limited.train.indices.tolist() == whole.train.indices.tolist()
    assert len(load(Data(train=path, limit_held_out=500), text).test) == 10


def test_copies_across_parts_are_counted(tmp_path: Path, text: Modality) -> None:
    train, test = write(tmp_path / "a.csv", 50), write(tmp_path / "b.csv", 20, start=43)
    data = Data.model_validate({"train": train, "test": test, "split": {"validation": 0}})
    (note,) = load(data, text).notes
    assert note.startswith("7 of 20 test rows are also training rows")


def test_rows_without_a_value_are_no_copies(tmp_path: Path, text: Modality) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"text,label\n,1\n{name},0\n")
    data = Data.model_validate({"train": "a.csv", "test": "b.csv", "split": {"validation": 0}})
    assert load(data, text, base=tmp_path).notes == ()


def test_every_file_needs_the_tasks_columns(tmp_path: Path, text: Modality) -> None:
    train = write(tmp_path / "a.csv", 50)
    (tmp_path / "b.csv").write_text("text,labels\na,1\n")
    with pytest.raises(
        DataError, match=r"b\.csv: column 'label' is missing; did you mean 'labels'"
    ):
        load(Data(train=train, test=str(tmp_path / "b.csv")), text)


def test_a_format_holds_where_an_ending_says_nothing(tmp_path: Path, text: Modality) -> None:
    train, test = write(tmp_path / "a.txt", 50), write(tmp_path / "b.txt", 5, start=90)
    (tmp_path / "c.jsonl").write_text('{"text": "z", "label": 1}\n')
    data = Data(train=train, validation=str(tmp_path / "c.jsonl"), test=test, format="csv")
    splits = load(data, text)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [50, 1, 5]


def test_leaving_a_domain_out_learns_and_chooses_from_the_others(
    tmp_path: Path, text: Modality
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{'abcdefgh'[row % 8] * 3},{row % 2},{'xyz'[row % 3]}" for row in range(120)]
    path.write_text("\n".join(["text,label,domain", *rows]) + "\n")
    data = Data.model_validate(
        {"train": str(path), "leakage": {"allowed": 1}, "split": {"hold_out": {"domain": "y"}}}
    )
    splits = load(data, text)
    assert set(splits.test.column("domain")) == {"y"}
    assert len(splits.test) == 40
    assert set(splits.train.column("domain")) == set(splits.validation.column("domain"))
    assert len(splits.validation) == 8
    assert splits.facts["test"]["rows"] == 40
    with pytest.raises(ValueError, match=r"data.test has rows of its own"):
        Data.model_validate({**data.model_dump(), "test": str(path)})
