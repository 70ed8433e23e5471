from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.records import Likeness, Modality
from multigraft.data import Splits, load_splits
from multigraft.data.reporting import data_tables, leak_notes
from multigraft.errors import DataError, PluginError
from multigraft.recipe import Data
from multigraft.system import cache

Load = Callable[..., Splits]


class Letters:
    """A sketch of the first eight letters; a text of one letter only is flawed."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(raws)
        values = [[ord(letter) for letter in str(raw).lower().ljust(8)[:8]] for raw in raws]
        flaws = [int(len(set(str(raw))) == 1) for raw in raws]
        return np.array(values, np.uint32).reshape(len(raws), 8), np.array(flaws, np.uint8)


letters = Letters()


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    return letters(raws)


@pytest.fixture
def load(tmp_path: Path, text: Modality) -> Load:
    """Load splits from lists of texts; keyword arguments change ``data`` or the modality's
    likeness."""
    likeness = Likeness(sketch=sketch, near=0.85, flaws=("of one letter",))

    def start(likeness: Likeness | None = likeness, settled: bool = False, **given: Any) -> Splits:
        data: dict[str, Any] = {"split": {"validation": 0, "test": 0}}
        for name, value in given.items():
            if name in ("train", "validation", "test"):
                path = tmp_path / f"{name}.csv"
                path.write_text("text,who\n" + "".join(f"{line}\n" for line in value))
                data[name] = str(path)
            else:
                data[name] = value
        return load_splits(
            Data.model_validate(data),
            modality=replace(text, likeness=likeness),
            task_columns=(),
            stratify_by=None,
            seed=0,
            settled=settled,
        )

    return start


WORDS = [
    f"{first}{second}{first}xyz{second}{first},{first}" for first in "abcdef" for second in "ghijk"
]


def test_near_rows_are_told_by_place_and_likeness(load: Load) -> None:
    splits = load(train=WORDS, test=["AGAXYZGA,z", "agaxyzgo,z", "something,z", f"{WORDS[5]}"])
    equal, near = splits.notes
    assert equal.startswith(
        "1 of 4 test rows are also training rows (equal raw value), which flatters the score"
    )
    assert equal.endswith("test.csv row 4 as train.csv row 6")
    assert near.startswith(
        "2 of 4 test rows are nearly equal to training rows, which may flatter the score"
    )
    assert near.endswith(
        "test.csv row 1 as train.csv row 1 (1.00), test.csv row 2 as train.csv row 1 (0.88)"
    )
    (leak,) = splits.leaks
    assert (leak.split, leak.other, leak.equal, leak.near, leak.share) == (
        "test",
        "train",
        1,
        2,
        0.75,
    )
    facts = json.loads(json.dumps({"leaks": [leak.record()]}))
    assert data_tables(facts)["Rows in two splits"][1:] == (
        (
            "test",
            "test.csv row 4",
            "train",
            "train.csv row 6",
            "equal",
            WORDS[5][:-2],
            WORDS[5][:-2],
        ),
        ("test", "test.csv row 1", "train", "train.csv row 1", "1.00", "AGAXYZGA", "agaxyzga"),
        ("test", "test.csv row 2", "train", "train.csv row 1", "0.88", "agaxyzgo", "agaxyzga"),
    )
    assert leak_notes(facts, "validation") == []
    assert leak_notes(facts, "test")[0].startswith(
        "3 of 4 test rows also stand in training, 1 equal and 2"
    )


def test_validation_and_test_are_compared_too(load: Load) -> None:
    splits = load(
        train=WORDS, validation=["one thing,a", "another,b"], test=["one thinG,a", "another,b"]
    )
    assert [(leak.split, leak.other, leak.equal, leak.near) for leak in splits.leaks] == [
        ("test", "validation", 1, 1)
    ]
    assert all("flatter" not in note for note in splits.notes)


def test_what_one_file_was_cut_into_is_compared(load: Load) -> None:
    copies = [word.upper() for word in WORDS]
    given: dict[str, Any] = {"train": [*WORDS, *copies], "split": {"validation": 0.1, "test": 0.1}}
    splits = load(**given, leakage={"allowed": 1})
    assert {(leak.split, leak.other) for leak in splits.leaks} >= {
        ("validation", "train"),
        ("test", "train"),
    }
    with pytest.raises(DataError, match=r"data\.leakage\.allowed: 1"):
        load(**given)


@pytest.mark.parametrize(
    ("copies", "allowed", "stops"),
    [(5, 0.4, True), (5, 0.5, False), (4, 0.1, False), (1, 0.0, True), (10, 1.0, False)],
)
def test_more_than_the_allowed_share_stops(
    load: Load, copies: int, allowed: float, stops: bool
) -> None:
    others = [f"{number}0{number}1{number}2{number}3,z" for number in range(10 - copies)]
    given = {"train": WORDS, "test": [*WORDS[:copies], *others], "leakage": {"allowed": allowed}}
    if not stops:
        assert len(load(**given).leaks) == 1
        return
    with pytest.raises(DataError) as error:
        load(**given)
    assert (
        f"test: {copies} of 10 rows ({copies * 10}.0%) also stand in training, {copies} equal and 0"
        in str(error.value)
    )
    assert "  test.csv row 1 as train.csv row 1" in str(error.value).splitlines()


def test_near_rows_are_left_alone_where_told(load: Load) -> None:
    given: dict[str, Any] = {"train": WORDS, "test": ["AGAXYZGA,z", "zzzzzzzz,z"]}
    assert len(load(**given).leaks) == 1
    assert load(**given, leakage={"near": False}).notes == ()
    assert load(**given, likeness=None).notes == ()
    assert load(**given, settled=True).notes == ()


def test_groups_in_two_files_are_told(load: Load) -> None:
    group = {"validation": 0, "test": 0, "group": "who"}
    (note,) = load(train=WORDS, test=["one thing,a", "another,b", "more,z"], split=group).notes
    assert note == (
        "2 of 3 groups in test (column 'who') are also in train; give each group to one file: 'a', "
        "'b'"
    )


def test_values_that_look_wrong_are_told(load: Load) -> None:
    (note,) = load(train=[*WORDS, "qqqq,a", "rr,b"]).notes
    assert note == "2 of 32 train rows: of one letter: train.csv row 31, train.csv row 32"


def test_rows_without_a_value_are_not_sketched(load: Load) -> None:
    letters.asked = 0
    splits = load(train=[*WORDS, ",a"], test=[",a", "new thing,b"])
    assert splits.notes == ()
    assert letters.asked == len(WORDS) + 1


def test_a_second_run_sketches_nothing(load: Load) -> None:
    letters.asked = 0
    first = load(train=WORDS, split={"validation": 0.1, "test": 0.1})
    assert letters.asked == len(WORDS)
    again = load(train=WORDS, split={"validation": 0.2, "test": 0.2})
    assert letters.asked == len(WORDS)
    assert len(first.test) != len(again.test)
    load(train=[*WORDS, "new thing,a"])
    assert letters.asked == 2 * len(WORDS) + 1


def test_a_function_that_holds_more_than_its_code_is_not_remembered(load: Load) -> None:
    given: dict[str, Any] = {"train": WORDS, "test": ["AGAXYZGO,z", "new thing,a"]}
    found = []
    for width in (4, 8):

        def start(raws: Sequence[Any], width: int = width) -> tuple[np.ndarray, np.ndarray]:
            values, flaws = sketch(raws)
            return values[:, :width], flaws

        found.append(len(load(**given, likeness=Likeness(sketch=start, near=1)).leaks))
    assert found == [1, 0]
    assert not cache.entries("sketches")


@pytest.mark.parametrize("fields", [{"near": 0}, {"near": 1.1}, {"sketch": None}])
def test_a_likeness_is_checked_where_it_is_made(fields: Any) -> None:
    with pytest.raises(ValueError, match="a likeness has a function and a share"):
        Likeness(**{"sketch": sketch, "near": 0.9, **fields})


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_entry_is_made_again(load: Load, content: bytes) -> None:
    expected = load(train=WORDS, test=["AGAXYZGA,z"]).leaks
    for entry in cache.entries("sketches"):
        (entry / "values.npy").write_bytes(content)
    assert load(train=WORDS, test=["AGAXYZGA,z"]).leaks == expected


@pytest.mark.usefixtures("no_cache")
def test_no_cache_is_needed(load: Load) -> None:
    assert len(load(train=WORDS, test=["AGAXYZGA,z"]).leaks) == 1
    assert not cache.entries("sketches")


@pytest.mark.parametrize(
    "made",
    [
        (np.zeros((1, 4), np.uint8), np.zeros(1, np.uint8)),
        (np.zeros((30, 4)), np.zeros(30, np.uint8)),
        (np.zeros((30, 4), np.uint8), np.zeros(3, np.uint8)),
    ],
)
def test_a_sketch_that_breaks_the_contract_is_named(load: Load, made: Any) -> None:
    with pytest.raises(PluginError, match="unsigned integers"):
        load(train=WORDS, likeness=Likeness(sketch=lambda raws: made, near=0.9))


def careless(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """A sketch that fails on one text, and with it on all that are given beside it."""
    if any("odd" in str(raw) for raw in raws):
        raise AttributeError("no width")
    return letters(raws)


def test_a_row_on_which_a_sketch_fails_is_compared_with_no_other(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    likeness = Likeness(sketch=careless, near=0.85)
    splits = load(
        train=[*WORDS, "odd,1"], test=["agaxyzgo,z", "odd,2", f"{WORDS[5]}"], likeness=likeness
    )
    (leak,) = splits.leaks
    assert (leak.equal, leak.near) == (2, 1)  # the odd one as equal, by its digest
    assert (
        caplog.text.count(
            "a row is compared with no other: the reader failed (AttributeError: no width)"
        )
        == 2
    )
