from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from multigraft.data.sources.columns import Cells, Coded, Piece, Pieces, cell, take

VALUES = st.none() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)


@st.composite
def columns(draw: st.DrawFn) -> tuple[Pieces, list[Any]]:
    """A column in pieces of every kind, and its values."""
    pieces: list[Piece] = []
    values: list[Any] = []
    counts: list[int] = []
    for kind in draw(
        st.lists(st.sampled_from(["int", "text", "list", "coded", "nothing"]), max_size=5)
    ):
        size = draw(st.integers(0, 4))
        like = {"int": st.none() | st.integers(-9, 9), "text": st.none() | st.text(max_size=2)}
        mine = draw(st.lists(like.get(kind, VALUES), min_size=size, max_size=size))
        if kind == "nothing":
            mine = [None] * size
        texts = [None if value is None else json.dumps(value) for value in mine]
        made: dict[str, Piece] = {
            "int": pa.array(mine, pa.int64()) if kind == "int" else None,
            "text": pa.array(mine, pa.string()) if kind == "text" else None,
            "list": mine,
            "coded": Coded(pa.array(texts, pa.string())),
            "nothing": None,
        }
        pieces.append(made[kind])
        values += mine
        counts.append(size)
    return Pieces(pieces, counts), values


@settings(deadline=None)
@given(made=columns(), data=st.data())
def test_pieces_are_as_one_list(made: tuple[Pieces, list[Any]], data: st.DataObject) -> None:
    column, values = made
    assert len(column) == len(values)
    assert [cell(column, row) for row in range(len(values))] == values
    rows = np.array(
        data.draw(st.lists(st.sampled_from(range(len(values))))) if values else [], np.int64
    )
    wanted = [values[row] for row in rows]
    assert take(column, rows) == wanted
    cells = Cells(column, rows)
    assert list(cells) == wanted
    assert list(cells[1:]) == wanted[1:]
    assert take(pickle.loads(pickle.dumps(column)), rows) == wanted


def test_arrays_are_taken_in_any_order() -> None:
    for column in (pa.array([5, 6, 7, 8]), pa.chunked_array([[5, 6], [7, 8]]), [5, 6, 7, 8]):
        for rows in ([1, 2, 3], [3, 1, 1], [0], []):
            assert take(column, np.array(rows, np.int64)) == [5 + row for row in rows]
