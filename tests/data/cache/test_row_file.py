from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from multigraft.contracts.types import Arrays
from multigraft.data.cache.row_file import DATA, Store, StoreWriter

KINDS = st.sampled_from("u1 <i2 >i4 <i8 <f2 <f4 <f8 ? <c16 <U3 S2 <M8[ns]".split())
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
VALUES = KINDS.flatmap(
    lambda kind: SHAPES.flatmap(lambda shape: arrays.arrays(np.dtype(kind), shape))
)
ROWS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=6)


def write(folder: Path, rows: list[Arrays]) -> Store:
    writer = StoreWriter(folder)
    assert [writer.add(row) for row in rows] == list(range(len(rows)))
    writer.close()
    return Store(folder)


def same(one: Arrays, two: Arrays) -> bool:
    return list(one) == list(two) and all(
        one[name].dtype == two[name].dtype
        and one[name].shape == two[name].shape
        and one[name].tobytes() == two[name].tobytes()
        for name in one
    )


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_rows_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Arrays]
) -> None:
    store = write(tmp_path_factory.mktemp("store"), rows)
    assert len(store) == len(rows)
    again = pickle.loads(pickle.dumps(store))
    for number, row in enumerate(rows):
        assert same(store[number], row)
        assert same(again[number], row)
        for name in row:
            assert same(store.fetch(number, [name]), {name: row[name]})
        assert store.fetch(number, []) == {}


def test_rows_are_views_that_cannot_be_written(tmp_path: Path) -> None:
    store = write(tmp_path, [{"x": np.arange(4.0), "y": np.asarray(3)}])
    assert not store[0]["x"].flags.owndata
    assert store[0]["x"].flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        store[0]["x"][0] = 1


def test_views_of_any_strides_are_written(tmp_path: Path) -> None:
    values = np.arange(24).reshape(4, 6)
    store = write(tmp_path, [{"x": values[::2, ::-1]}, {"x": values.T}])
    assert store[0]["x"].tolist() == values[::2, ::-1].tolist()
    assert store[1]["x"].tolist() == values.T.tolist()


@pytest.mark.parametrize(
    "values", [np.array([{}, None]), np.zeros(2, [("a", "f4")]), np.zeros(2, "V3")]
)
def test_what_is_no_plain_array_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"array 'x' is of .*cannot be stored"):
        StoreWriter(tmp_path).add({"x": values})


def test_a_store_is_whole_or_refused(tmp_path: Path) -> None:
    for name in ("open", "cut"):
        (tmp_path / name).mkdir()
    StoreWriter(tmp_path / "open").add({"x": np.zeros(3)})
    with pytest.raises(OSError):
        Store(tmp_path / "open")
    write(tmp_path / "cut", [{"x": np.zeros(3)}])
    data = tmp_path / "cut" / DATA
    data.write_bytes(data.read_bytes()[:-8])
    with pytest.raises(ValueError, match="were written"):
        Store(tmp_path / "cut")
