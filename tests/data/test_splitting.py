from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multigraft.data import Table, limit_rows, split_table
from multigraft.data.sources.table import Content, whole
from multigraft.data.splitting import hold_out
from multigraft.errors import DataError
from multigraft.recipe import Split

shares = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3])
labellings = st.lists(st.integers(0, 5), min_size=12, max_size=120)


def table(**columns: list[Any]) -> Table:
    return whole(Content(name="toy.csv", columns=columns, raw=()))


def parts_of(
    source: Table, split: Split, labels: list[Any] | None, seed: int = 0
) -> list[list[int]]:
    return [part.indices.tolist() for part in split_table(source, split, labels=labels, seed=seed)]


@given(labellings, shares, shares, st.integers(0, 99))
def test_every_row_is_in_one_part_and_every_label_in_training(
    labels: list[int], validation: float, test: float, seed: int
) -> None:
    source, split = table(label=labels), Split(validation=validation, test=test)
    held = sum(max(1, round(len(labels) * share)) for share in (validation, test) if share)
    assume(held <= len(labels) - len(set(labels)))
    parts = parts_of(source, split, labels, seed)
    assert sorted(row for part in parts for row in part) == list(range(len(labels)))
    assert {labels[row] for row in parts[0]} == set(labels)
    for part, share in zip(parts[1:], (validation, test), strict=True):
        assert len(part) == (max(1, round(len(labels) * share)) if share else 0)
    assert parts == parts_of(source, split, labels, seed)


def test_labels_keep_their_shares() -> None:
    labels = ["common"] * 800 + ["rare"] * 150 + ["tiny"] * 48 + ["twice"] * 1 + ["once"] * 1
    for part in parts_of(table(label=labels), Split(), labels)[1:]:
        counts = Counter(labels[row] for row in part)
        assert counts["common"] in (80, 81)
        assert counts["rare"] in (14, 15, 16)
        assert counts["tiny"] in (4, 5, 6)
        assert counts["once"] == 0


def test_a_label_can_miss_from_training_only_without_stratification() -> None:
    labels = ["a"] * 99 + ["b"]
    found = [
        parts_of(table(label=labels), Split(stratify=False), labels, seed) for seed in range(60)
    ]
    assert any(99 not in train for train, _, _ in found)


@pytest.mark.parametrize("counts", [(5, 5), (6, 4), (7, 3), (4, 3, 3)])
def test_a_small_held_out_part_has_more_than_one_label(counts: tuple[int, ...]) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    split = Split(validation=0.2, test=0.3)
    for seed in range(60):
        parts = parts_of(table(label=labels), split, labels, seed)
        assert [len(part) for part in parts] == [5, 2, 3]
        assert all(len({labels[row] for row in part}) > 1 for part in parts)
        assert {labels[row] for row in parts[0]} == set(labels)


def test_seeds_differ_and_the_split_is_known() -> None:
    """Written down: a change of the rule would move rows of every earlier run between parts."""
    labels = [row % 3 for row in range(30)]
    source = table(label=labels)
    known = [[0, 4, 26], [9, 20, 28]]
    assert parts_of(source, Split(), labels)[1:] == known
    assert parts_of(source, Split(), labels, seed=1)[1:] != known


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=10, max_size=100),
    shares,
    shares,
    st.booleans(),
    st.integers(0, 99),
)
def test_no_group_is_in_two_parts(
    rows: list[tuple[int, int]], validation: float, test: float, stratify: bool, seed: int
) -> None:
    groups, labels = [row[0] for row in rows], [row[1] for row in rows]
    wanted = 1 + (validation > 0) + (test > 0)
    assume(len(set(groups)) >= wanted)
    split = Split(validation=validation, test=test, group="speaker", stratify=stratify)
    source = table(speaker=groups, label=labels)
    parts = parts_of(source, split, labels, seed)
    assert sorted(row for part in parts for row in part) == list(range(len(rows)))
    assert sum(len({groups[row] for row in part}) for part in parts) == len(set(groups))
    assert [bool(part) for part in parts] == [True, validation > 0, test > 0]
    assert parts == parts_of(source, split, labels, seed)


def test_groups_and_labels_are_balanced_together() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(3, 20, 60))
    kind = rng.random(60)[groups]  # a group leans to one of the labels
    labels = (rng.random(len(groups)) < kind).astype(int)
    source = table(speaker=groups.tolist())
    parts = parts_of(source, Split(validation=0.2, test=0.2, group="speaker"), labels.tolist())
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert len(part) / len(groups) == pytest.approx(share, abs=0.02)
        assert labels[part].mean() == pytest.approx(labels.mean(), abs=0.03)


def test_rows_without_a_group_stay_together() -> None:
    groups = [None] * 5 + [f"s{number}" for number in range(40)]
    parts = parts_of(table(speaker=groups), Split(group="speaker"), None)
    assert sum(0 in part for part in parts) == 1
    assert any(set(range(5)) <= set(part) for part in parts)


@pytest.mark.parametrize(
    ("source", "split", "labels", "message"),
    [
        (table(x=[1, 2]), Split(), None, "2 rows cannot make 3 parts"),
        (table(g=[1, 1, 2]), Split(group="g"), None, "2 groups cannot make 3 parts"),
        (
            table(x=[1, 2, 3, 4]),
            Split(validation=0.5, test=0.5),
            None,
            "leave nothing for training",
        ),
        (table(x=list(range(9))), Split(), list(range(9)), "9 rows with 9 labels are too few"),
        (
            table(x=list(range(9))),
            Split(),
            [f"{each / 8}" for each in range(9)],
            r"stratify: false; numbers with decimals are learned by a task of regression$",
        ),
        (
            table(x=list(range(9))),
            Split(),
            list(range(9)),
            r"or set data.split.stratify: false$",
        ),
        (table(x=[1, 2, 3, 4]), Split(validation=0.5, test=0.49), None, "too few"),
        (table(x=[1, 2, 3]), Split(group="speaker"), None, "column 'speaker' is missing"),
    ],
)
def test_what_cannot_be_split(
    source: Table, split: Split, labels: list[Any] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        split_table(source, split, labels=labels, seed=0)


@given(labellings, st.integers(1, 130), st.integers(0, 99))
def test_a_limit_draws_in_the_labels_shares(labels: list[int], count: int, seed: int) -> None:
    source = table(label=labels)
    drawn = limit_rows(source, count, labels=labels, seed=seed)
    assert len(drawn) == len(set(drawn.indices.tolist())) == min(count, len(labels))
    if count >= len(set(labels)):
        assert set(drawn.column("label")) == set(labels)
    assert (
        drawn.indices.tolist()
        == limit_rows(source, count, labels=labels, seed=seed).indices.tolist()
    )


def test_a_limit_keeps_the_labels_shares() -> None:
    labels = ["a"] * 900 + ["b"] * 99 + ["c"]
    counts = Counter(limit_rows(table(label=labels), 100, labels=labels, seed=3).column("label"))
    assert counts["a"] in (88, 89, 90)
    assert counts["b"] in (9, 10, 11)
    assert counts["c"] == 1


def test_a_limit_without_labels_is_a_random_draw() -> None:
    source = table(x=list(range(1000)))
    draws = [limit_rows(source, 50, labels=None, seed=seed).indices for seed in (0, 1)]
    assert not np.array_equal(*draws)
    assert 300 < draws[0].mean() < 700


def test_held_out_values_are_the_test_and_nothing_else_is() -> None:
    domains = ["books", "films", None, "books", 7, "films"]
    parts = hold_out(table(domain=domains), {"domain": ("films", "7")})
    assert parts["test"].indices.tolist() == [1, 4, 5]
    assert parts["train"].indices.tolist() == [0, 2, 3]
    both = {"domain": ("books",), "year": ("1", "2")}
    parts = hold_out(table(domain=domains, year=[1, 1, 1, 3, 2, 2]), both)
    assert parts["test"].indices.tolist() == [0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"domain": ("film",)}, r"no row of toy.csv has 'film' there; did you mean 'films'"),
        ({"domain": ("books", "films")}, "names every row of toy.csv; name some"),
        ({"domain": ("books",), "year": ("2",)}, "names no row of toy.csv"),
        ({"area": ("books",)}, "column 'area' is missing"),
    ],
)
def test_values_that_hold_out_nothing_or_all_are_refused(
    wanted: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        hold_out(table(domain=["books", "films"], year=[1, 2]), wanted)
