"""Rows with several labels: drawn by the rarest, and every label in training."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multigraft.data import limit_rows, split_table
from multigraft.data.labelling import labelling
from multigraft.data.sources.table import Content, Table, whole
from multigraft.recipe import Split

sets = st.lists(
    st.sets(st.sampled_from("abcdefg"), max_size=4).map(lambda s: tuple(sorted(s))),
    min_size=12,
    max_size=80,
)


def table(rows: int) -> Table:
    return whole(Content(name="toy.csv", columns={"n": list(range(rows))}, raw=()))


@given(sets, st.sampled_from([0.1, 0.2]), st.integers(0, 99))
def test_every_label_is_in_training(held: list[tuple[str, ...]], share: float, seed: int) -> None:
    labels = {label for each in held for label in each}
    assume(len(held) - len(labels) - 1 >= 2 * max(1, round(len(held) * share)))
    parts = split_table(
        table(len(held)), Split(validation=share, test=share), labels=held, seed=seed
    )
    rows = [part.indices.tolist() for part in parts]
    assert sorted(chain(*rows)) == list(range(len(held)))
    assert {label for row in rows[0] for label in held[row]} == labels


def test_a_rare_label_keeps_its_share() -> None:
    rng = np.random.default_rng(0)
    held = [tuple(["common"] + (["rare"] if rng.random() < 0.05 else [])) for _ in range(1000)]
    total = Counter(label for each in held for label in each)["rare"]
    for part in split_table(table(1000), Split(), labels=held, seed=1)[1:]:
        found = sum("rare" in held[row] for row in part.indices.tolist())
        assert abs(found - total / 10) <= 1


def test_a_limit_leaves_every_label_a_row() -> None:
    held = [("a", "b") for _ in range(50)] + [("a", "c"), (), ("d",)]
    chosen = limit_rows(table(len(held)), 5, labels=held, seed=0).indices.tolist()
    assert {label for row in chosen for label in held[row]} == {"a", "b", "c", "d"}


def test_groups_stay_together_and_share_labels() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5).tolist()
    held = [tuple(label for label in "abc" if rng.random() < 0.3) for _ in groups]
    source = whole(Content(name="toy.csv", columns={"g": groups}, raw=()))
    split = Split(validation=0.2, test=0.2, group="g")
    parts = [part.indices for part in split_table(source, split, labels=held, seed=0)]
    assert not {groups[row] for row in parts[0]} & {groups[row] for row in parts[1]}
    for label in "abc":
        shares = [sum(label in held[row] for row in part) for part in parts]
        assert shares[1] / sum(shares) == pytest.approx(0.2, abs=0.06)


def test_a_row_is_drawn_by_its_rarest_label() -> None:
    found = labelling([("a", "b"), ("a",), (), ("b", "a"), ("c", "b")], 5)
    names = ["", "a", "b", "c"]
    assert [names[code] for code in found.classes] == ["a", "a", "", "a", "c"]
