"""Two sources are told apart where they differ, labels or none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
import multigraft_series
from helpers.samples import write_texts
from helpers.toys import write_rows
from multigraft.choosing import DomainDistance
from multigraft.errors import DataError, RecipeError


def distance(first: object, second: object, **asked: object) -> DomainDistance:
    found: DomainDistance = mg.domain_distance(
        first,
        second,
        backbone="tcn-tiny",
        plugins=[multigraft_series],
        quiet=True,
        **asked,  # type: ignore[arg-type]
    )
    return found


def long_series(path: Path, rows: int = 60) -> Path:
    """Longer and of another level, without labels."""
    rng = np.random.default_rng(0)
    lines = [" ".join(f"{value:.3f}" for value in rng.normal(4, 1, 20)) for _ in range(rows)]
    path.write_text("\n".join(["series", *lines]) + "\n")
    return path


def test_what_differs_is_told_apart_and_what_does_not_is_not(tmp_path: Path) -> None:
    here, there = write_rows(tmp_path / "a.csv", seed=0), write_rows(tmp_path / "b.csv", seed=1)
    far = distance(here, long_series(tmp_path / "long.csv"))
    assert far.test.rows == 60
    assert far.test.p == 1 / 1000
    assert far.test.proxy_a_distance > 1.5
    assert "knows which is which" in far.verdict
    near = distance(here, there)
    assert near.test.p > 0.05
    assert "does not tell them apart" in near.verdict
    assert near.first.endswith("a.csv")
    assert json.loads(json.dumps(far.to_dict()))["test"]["auc"] == far.test.auc
    assert far.report().tables["a classifier of the two"][1][3] == "0.001"


def test_rows_are_drawn_by_the_seed_and_may_be_given_in_python(tmp_path: Path) -> None:
    here = write_rows(tmp_path / "a.csv")
    other = [{"series": f"{index} {index + 1}"} for index in range(30)]
    once, again = (distance(here, other, rows=20, seed=2) for _ in range(2))
    assert once == again
    assert (once.test.rows, once.second) == (20, "rows in Python")


def test_a_vocabulary_that_is_learned_is_that_of_both(tmp_path: Path) -> None:
    """Else the words that only one source has would tell it from the other."""
    sources = (write_texts(tmp_path / str(seed), 60, seed=seed) for seed in (0, 1))
    found = mg.domain_distance(*sources, backbone="bert-tiny=scratch", quiet=True)
    assert found.test.p > 0.05


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    here = write_rows(tmp_path / "a.csv")
    other = tmp_path / "b.csv"
    other.write_text(here.read_text().replace("series,label", "numbers,label"))
    with pytest.raises(DataError, match="column 'series' is missing"):
        distance(here, other)
    found = distance(here, {"train": str(other), "columns": {"series": "numbers"}})
    assert found.test.accuracy < 0.6


def test_mistakes_are_told(tmp_path: Path) -> None:
    few = long_series(tmp_path / "few.csv", rows=5)
    with pytest.raises(DataError, match="5 rows of one set; 10 of each"):
        distance(write_rows(tmp_path / "a.csv"), few)
    with pytest.raises(RecipeError, match="did you mean 'tcn-tiny'"):
        mg.domain_distance(few, few, backbone="tcn-tny", plugins=[multigraft_series], quiet=True)
