"""Formats read as a stream give the rows that they give whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from multigraft.contracts.formats import PLAIN
from multigraft.data.sources import formats
from multigraft.data.sources.parsing import CORE

ROWS = [{"text": f"line {number}", "n": number} for number in range(25)]


def write(path: Path) -> None:
    kind = path.suffix
    if kind == ".csv":
        path.write_text("text,n\n" + "".join(f"{r['text']},{r['n']}\n" for r in ROWS))
    elif kind == ".json":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == ".parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == ".arrow":
        feather.write_feather(pa.Table.from_pylist(ROWS), str(path), compression="uncompressed")
    else:
        path.write_text("\n\n".join(str(row["text"]) for row in ROWS))


STREAMED = [each for each in CORE if each.chunks is not None]


@pytest.mark.parametrize("kind", STREAMED, ids=lambda kind: kind.name)
def test_chunks_are_the_rows(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "CHUNK", 10)
    path = tmp_path / f"rows{(*kind.endings, '.txt')[0]}"
    write(path)
    whole = kind.read(path, PLAIN)
    chunks = [chunk for chunk in kind.chunks(path, PLAIN) if chunk.rows]
    assert sum(chunk.rows for chunk in chunks) == len(ROWS)
    assert len(chunks) > 1 or kind.name == "arrow"
    for name, column in whole.columns.items():
        found = [str(cell) for chunk in chunks for cell in chunk.columns[name]]
        assert found == [str(column[row]) for row in range(len(ROWS))]


def test_all_that_can_be_long_is_streamed() -> None:
    assert {each.name for each in CORE} - {each.name for each in STREAMED} == {"xlsx"}
