"""Types of columns, as they are guessed and as a recipe says them."""

from __future__ import annotations

from typing import Any

import pytest

from multigraft.errors import DataError
from multigraft_table.guessing import check_type, guess

WORDS = [f"word {number}" for number in range(80)]


@pytest.mark.parametrize(
    ("cells", "kind", "why"),
    [
        (["1", "2.5", "-3"], "number", ""),
        ([1, 2, 1], "number", ""),
        (["0", "1"] * 9, "number", ""),
        ([*map(str, range(60)), "unknown"], "number", ""),
        (["01", "02", "11"], "category", ""),
        ([True, False], "category", ""),
        (["yes", "no", "no"], "category", ""),
        (["1", "2", "many"], "category", ""),
        (["2024-01-01", "2024-01-02T03:00"], "date", ""),
        (WORDS, "ignore", "80 different texts in 80 rows"),
        (WORDS * 3, "category", ""),
        (["a", "a"], "ignore", "the same in every row"),
        ([3, "3", 3.0], "ignore", "the same in every row"),
        ([], "ignore", "every cell is empty"),
        (["a", {"x": 1}], "ignore", "a cell holds an object"),
        ([b"GIF89a", b"GIF89b"], "ignore", "a cell holds bytes, as of a file"),
    ],
)
def test_a_guess(cells: list[Any], kind: str, why: str) -> None:
    found = guess(cells)
    assert (found.type, found.why) == (kind, why)


@pytest.mark.parametrize(
    ("cells", "asked", "says"),
    [
        (["a", "b", "a"], "number", "3 of 3 cells hold none, as 'a'; leave it out, which reads"),
        ([b"GIF"], "number", "1 of 1 cells hold none, as bytes, as of a file; say 'ignore'"),
        (["1", "2"], "date", "reads it as 'number'"),
        ([], "category", "every cell is empty"),
    ],
)
def test_a_type_that_does_not_fit(cells: list[Any], asked: str, says: str) -> None:
    with pytest.raises(DataError, match=r"reader\.types\.zip: found") as caught:
        check_type("zip", cells, asked)
    assert says in str(caught.value)


def test_a_type_that_fits_nearly_all_cells_is_taken() -> None:
    check_type("zip", [*map(str, range(60)), "unknown"], "number")
    check_type("zip", ["01", "02"], "number")
    check_type("zip", [1, 2], "category")
    check_type("zip", [b"GIF"], "ignore")
