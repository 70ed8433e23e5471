"""Rows of like length are computed together, cut to their longest, and come back in order."""

from __future__ import annotations

import pytest
import torch

from multigraft.contracts.objectives import LENGTHS
from multigraft.training.row_parts import PARTS, like_length, split_rows

IDS = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 6], [7, 0, 0, 0], [8, 9, 9, 0], [5, 0, 0, 0]])
BATCH = {"target": torch.arange(2), "ids": IDS, LENGTHS: (IDS > 0).sum(1)}


def test_rows_of_like_length_meet_and_are_cut_to_the_longest() -> None:
    split = split_rows(BATCH, 3, varying={"ids"})
    found = [part["ids"].tolist() for part in split.batches]
    assert found == [[[3, 4, 5, 6], [8, 9, 9, 0]], [[1, 2], [7, 0]], [[5]]]
    assert not any("target" in part for part in split.batches)


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_outputs_come_back_in_the_order_of_the_batch(parts: int) -> None:
    split = split_rows(BATCH, parts, varying={"ids"})
    joined = split.join([{"sum": part["ids"].sum(1)} for part in split.batches])
    assert joined["sum"].tolist() == IDS.sum(1).tolist()


def test_without_lengths_parts_are_in_order_and_whole() -> None:
    split = split_rows({"ids": IDS}, 2, varying={"ids"})
    assert [part["ids"].tolist() for part in split.batches] == [IDS[:3].tolist(), IDS[3:].tolist()]
    assert torch.equal(split.join([*split.batches])["ids"], IDS)


def test_small_batches_are_whole_and_large_ones_have_few_parts() -> None:
    assert [like_length(count) for count in (1, 15, 16, 64, 4096)] == [1, 1, 2, 8, PARTS]
