from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Rows, load_table
from multigraft.data.targets import Targets
from multigraft.errors import DataError, OutOfMemory, PluginError, RowError

Audit = Callable[..., Rows]


@pytest.fixture
def audit(tmp_path: Path, text: Modality, reader: Reader, objective: Objective) -> Audit:
    """Audit the CSV rows given as text."""

    def start(content: str | bytes, allowed_bad: float = 0.0, **changed: Any) -> Rows:
        path = tmp_path / "reviews.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        table = load_table(str(path), modality=text, columns={})
        asked = {"reader": reader, "objective": objective, **changed}
        return Rows.audit(table, allowed_bad=allowed_bad, name="train", **asked)

    return start


MIXED = b"text,label\ngood,0\nb4d,1\nfine,1\n,0\ncaf\xe9,0\nlast,\nwell,0\nend,1\n"


def test_good_rows_are_kept_as_arrays(audit: Audit) -> None:
    rows = audit("text,label\nabc,0\nde,1\n")
    assert [len(rows), rows.lengths.tolist(), rows.problems] == [2, [3, 2], ()]
    assert {name: array.tolist() for name, array in rows[1].items()} == {
        "codes": [100, 101],
        "label": 1,
    }
    assert (rows.raw(1), rows.place(1), rows.columns) == (
        "de",
        "reviews.csv row 2",
        ("text", "label"),
    )


def test_bad_rows_stop_a_run_with_their_places(audit: Audit) -> None:
    with pytest.raises(DataError) as error:
        audit(MIXED)
    lines = str(error.value).splitlines()
    assert lines[0] == "train: 4 of 8 rows (50.0%) cannot be used; 0.0% may be"
    assert "  reviews.csv row 2, column 'text': 'b4d' holds a digit" in lines
    assert "  reviews.csv row 4: column 'text' is empty" in lines
    assert "  reviews.csv row 5: column 'text' is not UTF-8: byte 0xe9 after 'caf'" in lines
    assert "  reviews.csv row 6: the label is missing" in lines
    assert lines[-1].endswith("data.allowed_bad: 0.5")


def test_allowed_bad_rows_are_left_out_and_listed(audit: Audit) -> None:
    rows = audit(MIXED, allowed_bad=0.5)
    assert [rows.raw(index) for index in range(len(rows))] == ["good", "fine", "well", "end"]
    assert [rows.place(index)[-1] for index in range(len(rows))] == ["1", "3", "7", "8"]
    assert rows.column("label") == ["0", "1", "0", "1"]
    assert {str(problem)[:17] for problem in rows.problems} == {
        f"reviews.csv row {row}" for row in (2, 4, 5, 6)
    }
    with pytest.raises(DataError, match=r"49\.0% may be"):
        audit(MIXED, allowed_bad=0.49)


def test_no_share_allows_every_row_to_be_bad(audit: Audit) -> None:
    with pytest.raises(DataError, match=r"\(no row is good\)"):
        audit("text,label\n1,1\n", allowed_bad=0.99)


def test_only_twenty_problems_are_shown(audit: Audit) -> None:
    with pytest.raises(DataError) as error:
        audit("text,label\nfine,1\n" + "7,1\n" * 30)
    assert str(error.value).count("holds a digit") == 20
    assert "  and 10 more" in str(error.value).splitlines()


@pytest.mark.usefixtures("no_cache")
def test_rows_beyond_the_memory_are_read_again(audit: Audit, reader: Any) -> None:
    content = "text,label\n" + "abcd,1\n" * 10
    kept, frugal = audit(content), audit(content, memory=1000)
    before = reader.reads
    for index in range(10):
        assert kept[index]["codes"].tolist() == frugal[index]["codes"].tolist()
    assert 0 < reader.reads - before < 10


@pytest.mark.usefixtures("no_cache")
def test_a_row_that_breaks_later_is_named(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = audit("text,label\nabcd,1\n", memory=0)

    def read(raw: Any) -> Arrays:
        raise RowError("the disk is gone")

    monkeypatch.setattr(reader, "read", read)
    with pytest.raises(
        DataError, match=r"reviews\.csv row 1: could be read before.*the disk is gone"
    ):
        rows[0]


def test_rows_cannot_be_changed_in_place(audit: Audit) -> None:
    rows = audit("text,label\nabc,0\n")
    rows[0]["codes"] = np.zeros(1)
    assert rows[0]["codes"].tolist() == [97, 98, 99]
    with pytest.raises(ValueError, match="read-only"):
        rows[0]["codes"][0] = 1


def test_only_what_is_asked_for_is_read(
    tmp_path: Path, text: Modality, reader: Any, objective: Objective
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nabc,0\nde,1\n")
    table = load_table(str(path), modality=text, columns={})
    rows = Rows.audit(table, reader, objective, allowed_bad=0, name="train", memory=0)
    before = reader.reads
    assert {name: array.tolist() for name, array in rows.fetch(1, ["label"]).items()} == {
        "label": 1
    }
    assert rows.fetch(1, []) == {}
    assert reader.reads == before
    assert rows.fetch(1, ["codes"]).keys() == {"codes"}
    assert rows.fetch(1, {"codes", "label", "no such"}).keys() == {"codes", "label"}


def test_rows_can_be_pickled(tmp_path: Path, letters: Path, text: Modality) -> None:
    table = load_table(str(letters), modality=text, columns={})
    again = pickle.loads(pickle.dumps(table))
    assert again.row(3) == table.row(3)


ANYTHING = [
    (AttributeError("'int' object has no attribute 'encode'"), r"AttributeError: 'int' object"),
    (struct.error("unpack requires 4 bytes"), "error: unpack requires 4 bytes"),
    (MemoryError(), "MemoryError"),
    (
        RecursionError("maximum recursion depth exceeded\nin line 2"),
        "RecursionError: maximum.*exceeded",
    ),
    (OSError(5, "Input/output error", "/srv/secret.png"), "OSError: Input/output error"),
    (AssertionError(), "AssertionError"),
]


@pytest.mark.parametrize(("raised", "said"), ANYTHING)
@pytest.mark.parametrize("where", ["reader", "objective"])
def test_whatever_a_decoder_raises_is_that_rows_error(
    audit: Audit,
    reader: Any,
    objective: Any,
    monkeypatch: Any,
    where: str,
    raised: Exception,
    said: str,
) -> None:
    """A plugin's reader, or a target that is a file of its own: the border is the engine's."""
    name = {"reader": "read", "objective": "encode"}[where]
    owner = {"reader": reader, "objective": objective}[where]
    original = getattr(owner, name)

    def odd(value: Any, *arrays: Arrays) -> Arrays:
        if (value if where == "reader" else value["text"]) == "odd":
            raise raised
        return original(value, *arrays)  # type: ignore[no-any-return]

    monkeypatch.setattr(owner, name, odd)
    rows = audit("text,label\nabc,0\nodd,1\nde,1\n", 0.5)
    assert len(rows) == 2
    (problem,) = rows.problems
    column = ", column 'text'" if where == "reader" else ""
    told = rf"reviews\.csv row 2{column}: the reader failed"
    assert re.fullmatch(rf"{told} \({said}.*\)", str(problem))
    assert "secret" not in str(problem)
    with pytest.raises(DataError, match=rf"1 of 3 rows(?s:.*){told}"):
        audit("text,label\nabc,0\nodd,1\nde,1\n")


def test_an_import_that_finds_no_memory_is_no_rows_error(
    audit: Audit, reader: Any, monkeypatch: Any
) -> None:
    def fails(raw: Any) -> Arrays:
        raise ImportError("_x.so: failed to map segment from shared object")

    monkeypatch.setattr(reader, "read", fails)
    with pytest.raises(OutOfMemory, match=r"the reader failed: memory ran out \(_x\.so"):
        audit("text,label\nabc,0\n", 0.9)


def test_a_reader_that_fails_on_every_row_ends_the_run_and_shows_where(
    audit: Audit, reader: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reader, "read", lambda raw: {}["codes"])
    caplog.set_level("DEBUG", "multigraft")
    with pytest.raises(
        DataError, match=r"1 of 1 rows(?s:.*)the reader failed \(KeyError: 'codes'\)"
    ):
        audit("text,label\nabc,0\n", 0.9)
    assert 'lambda raw: {}["codes"]' in caplog.text  # what --debug shows


class CuttingReader:
    """Letters as numbers, four at most, and all of them in windows."""

    fills: Mapping[str, float] = {"codes": 0}

    def __init__(self) -> None:
        self.windowed: list[str] = []

    def read(self, raw: Any) -> Arrays:
        return {"codes": np.array([ord(letter) for letter in raw[:4]], dtype=np.int64)}

    def windows(self, raw: Any) -> list[Arrays]:
        self.windowed.append(raw)
        return [self.read(raw[start : start + 4]) for start in range(0, len(raw), 4)]

    def length(self, row: Arrays) -> int:
        return len(row["codes"])

    def spec(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("whole", [True, False])
def test_a_row_that_is_cut_is_bad_where_its_target_describes_all_of_it(
    tmp_path: Path, text: Modality, objective: Any, whole: bool
) -> None:
    path = tmp_path / "spoken.csv"
    path.write_text("text,label\nabcdefgh,0\na,0\nab,0\nabcd,1\nabc,1\nabcde,1\n")
    table, reader = load_table(str(path), modality=text, columns={}), CuttingReader()
    objective.whole = whole
    rows = Rows.audit(table, reader, objective, allowed_bad=0.5, name="train")
    kept = [rows.raw(index) for index in range(len(rows))]
    assert kept == (["a", "ab", "abcd", "abc"] if whole else table.column("text"))
    assert [[*map(chr, rows[index]["codes"])] for index in range(len(rows))] == [
        [*raw[:4]] for raw in kept
    ]
    assert [str(problem)[:40] for problem in rows.problems] == (
        ["spoken.csv row 1: is longer than one row", "spoken.csv row 6: is longer than one row"]
        if whole
        else []
    )
    # short ones are not read twice
    assert reader.windowed == (["abcdefgh", "abcd", "abcde"] if whole else [])


def test_reader_and_objective_must_not_share_a_name(
    audit: Audit, objective: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(objective, "encode", lambda row, arrays: {"codes": np.zeros(1)})
    with pytest.raises(PluginError, match="both give an array named 'codes'"):
        audit("text,label\nabc,0\n")


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("memory", [2**28, 0])
def test_targets_are_made_of_what_was_read(
    audit: Audit, objective: Any, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    def first(row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        assert not arrays["codes"].flags.writeable
        return {"first": arrays["codes"][:1], "label": np.asarray(int(row["label"]))}

    monkeypatch.setattr(objective, "encode", first)
    rows = audit("text,label\nabc,0\nde,1\n", memory=memory)
    rows._targets = Targets(0)  # as where targets are too large to be kept
    rows._targets.add({"first": np.zeros(1), "label": np.asarray(0)})
    assert rows[1]["first"].tolist() == [100]
    assert rows.fetch(0, ["first"])["first"].tolist() == [97]
    assert rows.fetch(1, {"codes", "label"}).keys() == {"codes", "label"}


def test_an_objective_of_the_old_form_is_told_what_changed(
    audit: Audit, objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "encode", lambda row: {})
    with pytest.raises(PluginError, match=r"encode\(row\) does not.*encode\(self, row, arrays\)"):
        audit("text,label\nabc,0\n")


class TestArrange:
    @staticmethod
    def joined(rows: Sequence[Any], rng: np.random.Generator) -> list[dict[str, Any]]:
        """Two rows become one, in an order of chance."""
        order = rng.permutation(len(rows))
        return [
            {"text": rows[int(one)]["text"] + rows[int(two)]["text"], "label": 1}
            for one, two in zip(order[::2], order[1::2], strict=False)
        ]

    def test_rows_are_rewritten_before_they_are_read(
        self, audit: Audit, objective: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(objective, "arrange", self.joined)
        content = b"text,label\na,0\nb,0\ncaf\xe9,0\nc,0\nd,0\n"
        rows, again, other = (audit(content, 0.4, seed=seed) for seed in (0, 0, 1))
        assert sorted("".join(rows.raw(index) for index in range(len(rows)))) == [
            "a",
            "b",
            "c",
            "d",
        ]
        assert rows.place(1) == "reviews.csv arranged row 2"
        assert [str(problem)[:17] for problem in rows.problems] == ["reviews.csv row 3"]
        assert [rows.raw(0), rows.raw(1)] == [again.raw(0), again.raw(1)]
        assert [rows.raw(0), rows.raw(1)] != [other.raw(0), other.raw(1)]

    def test_rows_look_like_a_list(self, audit: Audit, objective: Any, monkeypatch: Any) -> None:
        def arrange(rows: Sequence[Any], rng: np.random.Generator) -> Sequence[Any]:
            assert [row["text"] for row in rows] == ["a", "b", "c"]
            with pytest.raises(IndexError):
                rows[3]
            return [rows[-1], *rows[:1]]

        monkeypatch.setattr(objective, "arrange", arrange)
        rows = audit("text,label\na,0\nb,0\nc,0\n")
        assert [rows.raw(index) for index in range(len(rows))] == ["c", "a"]

    def test_no_row_is_an_error(self, audit: Audit, objective: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr(objective, "arrange", lambda rows, rng: [])
        with pytest.raises(DataError, match="the task makes no row of the 1 in"):
            audit("text,label\na,0\n")
