"""What a cell holds, of whatever library it comes."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from multigraft_table.cells import category_in, date_in, days, kind_of_cell, number_in, plain


@pytest.mark.parametrize(
    "cell", [None, "", "  ", "NA", "n/a", "NaN", "<NA>", "null", "None", "?", float("nan")]
)
def test_what_stands_for_nothing(cell: Any) -> None:
    assert plain(cell) is None


def test_numpys_scalars_are_pythons() -> None:
    assert plain(np.float64("nan")) is None
    assert plain(np.int32(3)) == 3
    assert plain(np.str_("wool")) == "wool"
    assert plain(np.datetime64("2024-02-29")) == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("3", 3.0),
        (" -1.5 ", -1.5),
        ("+.5e-3", 0.0005),
        (7, 7.0),
        (Decimal("2.5"), 2.5),
        (True, 1.0),
        (10**400, float("inf")),
        ("1_000", None),
        ("٣", None),
        ("3,5", None),
        ("12 kg", None),
        ("inf", None),
        (b"3", None),
        ([3], None),
        (date(2024, 1, 1), None),
    ],
)
def test_numbers(cell: Any, number: float | None) -> None:
    assert number_in(cell) == number


def test_a_category_is_the_same_from_csv_and_parquet() -> None:
    assert category_in(3) == category_in(3.0) == category_in("3 ") == "3"
    assert category_in("cafe\u0301") == category_in("caf\u00e9")
    assert category_in(False) == "False"
    assert category_in({"a": 1}) is None


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2024/2/9", datetime(2024, 2, 9)),
        ("2024-02-29T13:05", datetime(2024, 2, 29, 13, 5)),
        ("2024-02-29 23:30:10.25-02:00", datetime(2024, 3, 1, 1, 30, 10)),
        ("2024-02-29T13:05:00Z", datetime(2024, 2, 29, 13, 5)),
        (date(2024, 2, 29), datetime(2024, 2, 29)),
        (datetime(2024, 2, 29, 1, tzinfo=timezone(timedelta(hours=3))), datetime(2024, 2, 28, 22)),
        ("2023-02-29", None),
        ("29.02.2024", None),
        ("20240229", None),
        ("0001-01-01T00:00+23:00", None),
        (20240229, None),
    ],
)
def test_dates(cell: Any, moment: datetime | None) -> None:
    assert date_in(cell) == moment


def test_days_are_counted_from_1970() -> None:
    assert days(datetime(1969, 12, 31)) == -1
    assert days(datetime(1970, 1, 2, 6)) == 1.25


def test_a_person_is_told_what_stands_there() -> None:
    assert kind_of_cell(b"GIF89a") == "bytes, as of a file"
    assert kind_of_cell(np.zeros(3)) == "an array"
    assert len(kind_of_cell("x" * 1000)) < 100
