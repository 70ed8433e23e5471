"""CoNLL files: sentences as rows, their columns, and what is wrong by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from multigraft.errors import DataError
from multigraft_text.conll import read_conll

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "rows.conll"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("end", ["", "\n\n", "\r\n"])
def test_sentences_are_rows(tmp_path: Path, end: str) -> None:
    found = read_conll(written(tmp_path, CONLL_2003 + end))
    assert found.columns == {
        "words": [["EU", "rejects", "German"], ["Peter", "Blackburn"]],
        "column 2": [["NNP", "VBZ", "JJ"], ["NNP", "NNP"]],
        "column 3": [["B-NP", "B-VP", "B-NP"], ["B-NP", "I-NP"]],
        "tags": [["B-ORG", "O", "B-MISC"], ["B-PER", "I-PER"]],
    }
    assert (found.bad, found.kind) == ({}, "sentence")


def test_cells_with_tabs_may_hold_spaces_and_have_comments(tmp_path: Path) -> None:
    text = "# a remark\nNew York\tB-LOC\n#\tO\n#tag\tO\n\t\n\nAda\tB-PER\n"
    found = read_conll(written(tmp_path, text))
    assert found.columns["words"] == [["New York", "#", "#tag"], ["Ada"]]
    spaces = read_conll(written(tmp_path, "10\u00a0000 O\n"))
    assert spaces.columns["words"] == [["10\u00a0000"]]
    hashes = read_conll(written(tmp_path, "# O\nAda B-PER\n"))
    assert hashes.columns["words"] == [["#", "Ada"]]


def test_a_line_with_other_cells_is_its_sentences_fault(tmp_path: Path) -> None:
    found = read_conll(
        written(tmp_path, "Ada B-PER\n\nmet\n\nin\tO\n\t\tO\nRome\t\n\nOslo B-LOC\n")
    )
    assert found.columns["words"] == [["Ada"], None, None, ["Oslo"]]
    assert found.bad == {
        1: "line 3 has 1 cells; the first of the file has 2",
        2: "line 6 has 3 cells; the first of the file has 2",
    }
    empty = read_conll(written(tmp_path, "Ada\tB-PER\n\nRome\t\nOslo\tO\n"))
    assert empty.bad == {1: "line 3 has an empty cell"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no words; a word a line is needed"),
        ("\n\n-DOCSTART- O\n\n", "holds no words"),
        ("Ada\nmet\n", "line 1: a word and its tag are needed"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_conll(written(tmp_path, text))
