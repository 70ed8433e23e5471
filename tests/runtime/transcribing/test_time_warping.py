"""Dynamic time warping, against transformers' own."""

from __future__ import annotations

import numpy as np
import pytest
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from multigraft.runtime.transcribing.time_warping import first_columns


@pytest.mark.parametrize("seed", range(6))
def test_rows_begin_where_transformers_has_them_begin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 12)), int(rng.integers(1, 60))
    costs = (
        rng.standard_normal((rows, columns)) if seed % 2 else rng.integers(0, 3, (rows, columns))
    )
    path_rows, path_columns = _dynamic_time_warping(costs.astype(np.float64))
    wanted = [int(path_columns[path_rows == row].min()) for row in range(rows)]
    assert first_columns(costs).tolist() == wanted


def test_more_rows_than_columns_share_them() -> None:
    assert first_columns(np.ones((4, 1))).tolist() == [0, 0, 0, 0]
