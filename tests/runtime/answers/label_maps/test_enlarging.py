"""Logits are enlarged as torch enlarges them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from multigraft.runtime.answers.label_maps.enlarging import surest_classes


@pytest.mark.parametrize(
    ("cells", "pixels"),
    [((3, 5), (12, 20)), ((4, 4), (31, 17)), ((1, 7), (4, 28)), ((6, 6), (6, 6))],
)
def test_the_surest_class_is_that_of_torchs_enlarged_logits(
    cells: tuple[int, int], pixels: tuple[int, int]
) -> None:
    logits = np.random.default_rng(0).normal(size=(5, *cells)).astype(np.float32)
    enlarged = interpolate(torch.from_numpy(logits)[None], size=pixels, mode="bilinear")[0].numpy()
    first, second = np.sort(enlarged, axis=0)[[-1, -2]]
    clear = first - second > 1e-5
    assert clear.mean() > 0.95
    found = surest_classes(logits, *pixels)
    np.testing.assert_array_equal(found[clear], enlarged.argmax(0)[clear])


def test_of_equal_classes_the_first_is_told() -> None:
    assert surest_classes(np.zeros((3, 2, 2), np.float32), 4, 4).max() == 0
