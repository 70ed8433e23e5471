"""Results to rows and back, whatever they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from multigraft.training.replay.frozen import UnfitError
from multigraft.training.replay.layout import join, split, survey

CPU = torch.device("cpu")


def result(rows: int, length: int, seed: int = 0) -> list[Any]:
    """An earlier block's tensor, and a last one with a tuple, a mapping, time first, bf16 and a
    constant."""
    g = torch.Generator().manual_seed(seed)
    return [
        torch.rand(rows, length, 2, generator=g),
        (
            torch.rand(rows, length, 3, generator=g),
            {"time_first": torch.rand(length, rows, generator=g), "none": None, "count": 7},
            [torch.rand(rows, 2, generator=g).bfloat16(), torch.arange(rows)],
        ),
    ]


def test_equal_rows_come_back_as_they_were() -> None:
    layouts = survey(result(2, 4), result(3, 4))
    results = result(5, 6)
    again = join(layouts, split(layouts, results), CPU)
    tensor, mapping, pair = again[1]
    assert torch.equal(tensor, results[1][0])
    assert torch.equal(mapping["time_first"], results[1][1]["time_first"])
    assert mapping["none"] is None
    assert mapping["count"] == 7
    assert pair[0].dtype is torch.bfloat16
    assert torch.equal(pair[0], results[1][2][0])
    assert torch.equal(pair[1], torch.arange(5))


def test_earlier_results_are_zeros_without_memory() -> None:
    layouts = survey(result(2, 4), result(3, 4))
    first = join(layouts, split(layouts, result(5, 6)), CPU)[0]
    assert first.shape == (5, 6, 2)
    assert not first.any()
    assert first.untyped_storage().nbytes() == first.element_size()


def test_rows_of_different_lengths_are_padded_with_zeros() -> None:
    layouts = survey(result(2, 4), result(3, 4))
    long, short = result(1, 6, seed=1), result(1, 2, seed=2)
    first, (tensor, mapping, _) = join(
        layouts, [*split(layouts, long), *split(layouts, short)], CPU
    )
    assert first.shape == (2, 6, 2)
    assert torch.equal(tensor[0], long[1][0][0])
    assert torch.equal(tensor[1, :2], short[1][0][0])
    assert not tensor[1, 2:].any()
    assert mapping["time_first"].shape == (6, 2)
    assert torch.equal(mapping["time_first"][:2, 1], short[1][1]["time_first"][:, 0])


@pytest.mark.parametrize(
    ("two", "three"),
    [
        (torch.zeros(1, 4), torch.zeros(1, 4)),  # shared by all rows
        (torch.zeros(8, 3), torch.zeros(12, 3)),  # rows and positions folded together
        (torch.zeros(2, 2), torch.zeros(3, 3)),  # every row with every other
        ((torch.zeros(2),), (torch.zeros(3), None)),
    ],
)
def test_what_holds_no_single_rows_is_refused(two: Any, three: Any) -> None:
    with pytest.raises(UnfitError):
        survey([two], [three])


def test_stored_rows_are_plain_arrays() -> None:
    layouts = survey(result(2, 4), result(3, 4))
    rows = split(layouts, result(3, 5))
    assert len(rows) == 3
    assert all(isinstance(array, np.ndarray) for row in rows for array in row.values())
