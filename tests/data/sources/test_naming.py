"""Columns are called as they stand in the file, and named in the words of whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data.rows import Rows
from multigraft.data.sources.load import load_table
from multigraft.data.sources.naming import of_other_data, on_command_line
from multigraft.data.sources.rewriting import rewritten
from multigraft.data.sources.table import Table, require
from multigraft.errors import ColumnsError, DataError, RowError


def sourced(row: Mapping[str, Any]) -> dict[str, Any]:
    """``text`` is what stands in ``source``."""
    if "source" not in row:
        raise ColumnsError(f"source is needed; it holds {', '.join(row)}", {"source": "en"})
    if row["label"] == "odd":
        raise RowError("is odd", column="label")
    return {"text": row["source"], "label": row["label"]}


def load(
    tmp_path: Path, text: Modality, content: str, columns: Mapping[str, str] | None = None
) -> Table:
    path = tmp_path / "pairs.csv"
    path.write_text(content)
    return load_table(str(path), modality=text, columns=columns or {}, raw=False)


CONTENT = "en,mood\nfine,0\nb4d,1\n,0\ngood,odd\n"


def test_a_bad_row_names_the_column_of_the_file(
    tmp_path: Path, text: Modality, reader: Reader, objective: Objective
) -> None:
    table = rewritten(
        load(tmp_path, text, CONTENT, {"source": "en", "label": "mood"}), sourced, text.columns
    )
    rows = Rows.audit(table, reader, objective, allowed_bad=0.9, name="train")
    assert sorted(map(str, rows.problems)) == [
        "pairs.csv row 2, column 'en': 'b4d' holds a digit",
        "pairs.csv row 3: column 'en' is empty",
        "pairs.csv row 4: column 'mood' is odd",
    ]
    assert {each.record()["column"] for each in rows.problems} == {"en", "mood"}
    plain = Rows.audit(
        load(tmp_path, text, CONTENT, {"text": "en", "label": "mood"}),
        reader,
        objective,
        allowed_bad=0.9,
        name="train",
    )
    assert "row 2, column 'en'" in str(plain.problems[0])


def test_a_column_that_another_became_is_told_by_all_of_the_first_rows(
    tmp_path: Path, text: Modality
) -> None:
    table = load(tmp_path, text, "a,b\nx,x\ny,z\n")
    found = rewritten(table, lambda row: {"text": row["b"]}, text.columns)
    assert found.called("text") == "b"
    found = rewritten(table, lambda row: {"text": row["a"] + row["b"]}, text.columns)
    assert found.called("text") == "text"


@pytest.mark.parametrize(
    ("naming", "says"),
    [
        (on_command_line, "write --columns text=texts"),
        (of_other_data, "write --columns text=texts (in Python columns={'text': 'texts'})"),
    ],
)
def test_a_missing_column_is_named_as_the_command_takes_it(
    tmp_path: Path, text: Modality, naming: Any, says: str
) -> None:
    table = load(tmp_path, text, "texts,b\nx,x\n")
    with pytest.raises(DataError) as caught:
        require(table, ("text",), naming)
    assert says in str(caught.value) and "data.columns" not in str(caught.value)
    with pytest.raises(DataError, match=r"it holds texts, b: name it, as --columns source=en"):
        rewritten(table, sourced, text.columns, naming)
    with pytest.raises(DataError, match=r"b: name it, as data.columns: \{source: en\}"):
        rewritten(table, sourced, text.columns)


def test_what_a_function_tells_is_a_note_with_its_count(tmp_path: Path, text: Modality) -> None:
    def told(row: Mapping[str, Any], tell: Any) -> dict[str, Any]:
        if row["b"] != "x":
            tell(f"{row['b']!r} was read as 'x'")
        return {"text": "x"}

    table = load(tmp_path, text, "a,b\n1,x\n2,y\n3,y\n4,z\n")
    assert rewritten(table, told, text.columns).notes == (
        "pairs.csv: 'y' was read as 'x' (2 times)",
        "pairs.csv: 'z' was read as 'x'",
    )
    many = load(tmp_path, text, "a,b\n" + "".join(f"1,y{number}\n" for number in range(13)))
    notes = rewritten(many, told, text.columns).notes
    assert len(notes) == 11 and notes[-1] == "pairs.csv: and 3 notes of that kind more"
