from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multigraft import Fill
from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Epoch, Rows, iterate, load_table, padding_share, plan_packs
from multigraft.data.batching.packing import collate_packs, join
from multigraft.errors import DataError, MultigraftError, PluginError

lengths = st.lists(st.integers(1, 60), max_size=300).map(np.array)


def free(lengths: np.ndarray, capacity: int) -> list[int]:
    """What best-fit decreasing leaves free in each pack, one row after another."""
    left: list[int] = []
    for length in sorted(lengths.tolist(), reverse=True):
        fitting = [number for number, space in enumerate(left) if space >= length]
        if fitting:
            left[min(fitting, key=left.__getitem__)] -= length
        else:
            left.append(capacity - length)
    return sorted(left)


@given(
    lengths,
    st.integers(60, 200),
    st.integers(1, 8),
    st.integers(0, 3),
    st.booleans(),
    st.integers(1, 3),
)
def test_every_row_is_in_one_pack(
    lengths: np.ndarray, capacity: int, size: int, epoch: int, shuffle: bool, world: int
) -> None:
    asked: dict[str, Any] = {"capacity": capacity, "size": size, "seed": 1, "epoch": epoch}
    asked |= {"shuffle": shuffle, "world": world}
    left = free(lengths, capacity)
    if 0 < len(left) < world:
        with pytest.raises(ValueError, match="cannot be shared by"):
            plan_packs(lengths, **asked)
        return
    plan, again = plan_packs(lengths, **asked), plan_packs(lengths, **asked)
    packs = [pack for batch in plan for pack in batch]
    assert [pack.tolist() for pack in packs] == [pack.tolist() for batch in again for pack in batch]
    assert sorted(row for pack in packs for row in pack) == list(range(len(lengths)))
    assert sorted(capacity - int(lengths[pack].sum()) for pack in packs) == left
    assert len(plan) % world == 0
    assert all(1 <= len(batch) <= max(size, 1 + (world > 1)) for batch in plan)


def test_packs_are_nearly_full() -> None:
    drawn = np.random.default_rng(0).lognormal(3.6, 0.8, 20_000)
    lengths = np.clip(drawn, 6, 256).astype(np.int64)
    plan = plan_packs(lengths, capacity=512, size=16, seed=0, epoch=0, shuffle=True)
    packs = sum(len(batch) for batch in plan)
    assert lengths.sum() / (512 * packs) > 0.995
    assert padding_share(lengths, plan) < 0.005


def test_the_epoch_changes_which_rows_meet() -> None:
    lengths = np.random.default_rng(0).integers(1, 30, 500)
    plans = [
        plan_packs(lengths, capacity=64, size=4, seed=0, epoch=epoch, shuffle=True)
        for epoch in (0, 1)
    ]
    meetings = [{tuple(sorted(pack)) for batch in plan for pack in batch} for plan in plans]
    assert len(meetings[0] & meetings[1]) < 0.1 * len(meetings[0])


def test_a_row_that_is_too_long_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"2 of 3 rows are longer than training.packing \(8\), the longest 20"
    ):
        plan_packs(np.array([9, 4, 20]), capacity=8, size=1, seed=0, epoch=0, shuffle=True)


def test_joined_rows_are_numbered_and_padded() -> None:
    rows = [{"x": np.arange(count) + 1.5, "y": np.full((count, 2), count)} for count in (2, 1, 4)]
    batch = collate_packs([rows[:2], rows[2:]], {"x": -1, "y": 0})
    assert batch["x"].tolist() == [[1.5, 2.5, 1.5, -1], [1.5, 2.5, 3.5, 4.5]]
    assert batch["y"][0].tolist() == [[2, 2], [2, 2], [1, 1], [0, 0]]
    assert batch["segments"].tolist() == [[1, 1, 2, 0], [1, 1, 1, 1]]
    assert batch["segments"].dtype == np.int64


def test_rows_that_vary_in_two_axes_are_not_joined() -> None:
    rows = [{"x": np.ones((2, 3))}, {"x": np.ones((4, 1))}]
    with pytest.raises(PluginError, match="array 'x' varies in height, width, and rows are joined"):
        join(rows, {"x": Fill(0, {0: "height", 1: "width"})})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"x": np.ones(2), "label": np.asarray(1)}, "array 'label' has one value a row"),
        ({"x": np.ones(2), "y": np.ones(3)}, "arrays 'x' and 'y' of one row differ in length"),
    ],
)
def test_what_cannot_be_joined_is_named(row: Arrays, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        join([row], {"x": 0, "y": 0})


class Codes(Objective):
    """No targets, so that rows can be joined; a batch's own chance is used."""

    monitor = "loss"
    greater_is_better = False
    packs = True

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        return {**batch, "noise": rng.random(len(batch["codes"]), dtype=np.float32)}


@pytest.fixture
def rows(letters: Path, text: Modality, reader: Reader) -> Rows:
    table = load_table(str(letters), modality=text, columns={})
    return Rows.audit(table, reader, Codes(), allowed_bad=0, name="train")


def load(rows: Rows, **changed: Any) -> list[tuple[np.ndarray, Mapping[str, torch.Tensor]]]:
    batches = plan_packs(rows.lengths, capacity=32, size=3, seed=0, epoch=0, shuffle=True)
    return list(iterate(rows, batches, Epoch(seed=0, train=True), **changed))


def test_a_batch_of_packs_holds_its_rows_in_order(rows: Rows, reader: Reader) -> None:
    seen = []
    for indices, batch in load(rows):
        codes, segments = batch["codes"], batch["segments"]
        assert codes.shape == segments.shape
        assert codes.shape[1] <= 32
        assert codes[segments > 0].tolist() == [
            code for row in indices for code in rows[row]["codes"]
        ]
        assert int(sum(row.max() for row in segments)) == len(indices)
        assert (codes[segments == 0] == 0).all()
        seen += indices.tolist()
    assert sorted(seen) == list(range(40))


@pytest.mark.parametrize("changed", [{"workers": 2}, {"start": 2}, {"workers": 1, "start": 3}])
def test_packs_resume_to_the_same_bits(rows: Rows, reader: Reader, changed: dict[str, Any]) -> None:
    expected = load(rows)[changed.get("start", 0) :]
    for (indices, batch), (others, other) in zip(load(rows, **changed), expected, strict=True):
        assert indices.tolist() == others.tolist()
        assert batch.keys() == other.keys()
        assert all(torch.equal(batch[name], other[name]) for name in batch)


def test_a_task_that_needs_whole_rows_is_not_packed(
    rows: Rows, reader: Reader, objective: Objective
) -> None:
    labelled = Rows.audit(rows.table, reader, objective, allowed_bad=0, name="train")
    with pytest.raises(MultigraftError, match=r"training\.packing: LabelObjective needs every row"):
        load(labelled)
