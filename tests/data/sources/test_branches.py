"""Tables whose rows have a value of several branches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import captioned
from multigraft.contracts.branches import compose
from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.errors import DataError, RowError

KINDS = {each.name: each for each in captioned.register_modalities()}
PICTURES = replace(KINDS["grey"], name="picture", columns=("image",), suffixes=(".png",))
BOTH = compose({"words": KINDS["words"], "image": PICTURES}, missing=True)


def pictures(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        pixels = np.full((2, 2), ord(name), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


def table(folder: Path, rows: list[dict[str, Any]], modality: Modality = BOTH) -> Table:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_table(str(path), modality=modality, columns={})


def test_a_value_is_a_mapping_and_files_are_found_beside_the_table(tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = [
        {"words": "a.png", "image": "a.png"},
        {"words": "hi", "image": None},
        {"image": "b.png"},
    ]
    found = table(tmp_path, rows)
    assert found.raw(0) == {"words": "a.png", "image": str(tmp_path / "a.png")}
    assert found.raw(1) == {"words": "hi"}
    assert found.raw(2) == {"image": str(tmp_path / "b.png")}
    assert list(found.raws()) == list(found.raws()) == [found.raw(row) for row in range(3)]


def test_a_row_without_any_value_is_bad(tmp_path: Path) -> None:
    found = table(tmp_path, [{"words": None, "image": None}, {"words": "hi", "image": None}])
    with pytest.raises(RowError, match="columns 'words', 'image' are empty"):
        found.raw(0)


def test_rows_are_equal_where_every_branch_is(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes())
    rows = [
        {"words": "hi", "image": "a.png"},
        {"words": "hi", "image": "c.png"},
        {"words": "hi", "image": "b.png"},
        {"words": "hi", "image": None},
        {"words": "ho", "image": "a.png"},
    ]
    digests = table(tmp_path, rows).digests
    assert digests[0] == digests[1] and len(set(digests.tolist())) == 4


def test_a_changed_picture_changes_the_fingerprint(tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = [{"words": "hi", "image": "a.png"}]
    before = table(tmp_path, rows).fingerprint
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes())
    assert table(tmp_path, rows).fingerprint != before


def test_each_branchs_column_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'image' is missing"):
        table(tmp_path, [{"words": "hi"}])


def test_a_folder_is_read_by_its_metadata(tmp_path: Path) -> None:
    pictures(tmp_path / "set")
    lines = "file_name,words,label\na.png,hi,x\nb.png,ho,y\n"
    (tmp_path / "set" / "metadata.csv").write_text(lines)
    found = load_table(str(tmp_path / "set"), modality=BOTH, columns={})
    assert found.raw(1) == {"words": "ho", "image": str(tmp_path / "set" / "b.png")}
    assert found.place(1) == "set/b.png"


def test_a_folder_of_classes_holds_one_modality(tmp_path: Path) -> None:
    pictures(tmp_path / "set")
    with pytest.raises(DataError, match="a folder of classes holds one"):
        load_table(str(tmp_path / "set"), modality=BOTH, columns={})
