"""A plugin's format that reads a whole folder of files, each of them a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from multigraft.contracts.formats import Format, Layout, Parsed
from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.errors import DataError


def read_sheets(path: Path, layout: Layout) -> Parsed:
    files = sorted(path.glob("sheets/*.txt"))
    return Parsed(
        {"image": [file.read_text(encoding=layout.encoding).strip() for file in files]},
        folder=path / "pictures",
        paths=[file.name for file in files],
    )


def test_a_folder_is_read_and_its_rows_are_files(tmp_path: Path) -> None:
    modality = Modality(name="image", reader=dict, columns=("image",), suffixes=(".png",))
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets" / "one.txt").write_text("a.png\n")
    sheets = Format(name="sheets", endings=(), read=read_sheets, folders=True)
    flat = Format(name="flat", endings=(), read=read_sheets)

    def load(name: str) -> Table:
        return load_table(
            str(tmp_path), format=name, modality=modality, columns={}, formats=(sheets, flat)
        )

    table = load("sheets")
    assert table.raw(0) == str(tmp_path / "pictures" / "a.png")
    assert table.place(0) == f"{tmp_path.name}/one.txt"
    with pytest.raises(DataError, match=r"is a folder, but data\.format is 'flat'"):
        load("flat")
