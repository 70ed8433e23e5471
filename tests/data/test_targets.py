from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.data.targets import Targets

ROWS = [
    {"label": np.asarray(3), "box": np.array([1.0, 2.0], np.float32)},
    {"label": np.asarray(5), "box": np.array([4.0, 0.5], np.float32)},
    {"label": np.asarray(5), "box": np.array([4.0, 0.5, 1.0], np.float32)},
    {"label": np.asarray(7), "box": np.array([0.0, 9.0], np.float32)},
]


def kept(rows: Any, memory: int = 10_000) -> Targets:
    targets = Targets(memory)
    for row in rows:
        targets.add(row)
    return targets


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS[2:],
        [{}, {}],
        [{}, ROWS[0]],
        [{"x": np.zeros(0)}, {"x": np.zeros(2)}],
        [{"x": np.array(["a", None])}, {"x": np.array(["b", 1], object)}],
        [{"x": np.zeros(2)}, {"y": np.zeros(2)}, {"x": np.zeros(2, np.int64)}],
    ],
)
def test_targets_come_back(rows: Any) -> None:
    targets = kept(rows)
    for number, row in enumerate(rows):
        found = targets.get(number)
        assert found is not None
        assert list(found) == list(row)
        for name, array in row.items():
            assert (found[name].dtype, found[name].tolist()) == (array.dtype, array.tolist())


def test_what_does_not_fit_is_made_again() -> None:
    targets = kept([ROWS[0]] * 10, memory=16 * 4)
    assert [targets.get(number) is not None for number in range(10)] == [True] * 4 + [False] * 6
    assert kept([]).get(0) is None


def test_targets_cannot_be_changed() -> None:
    found = kept(ROWS).get(0)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found["box"][0] = 1
