"""Files of text that look like tables, written in one of many ways: what is in them is what is
read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.formats import Layout
from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, Table, load_splits, load_table
from multigraft.errors import DataError, RecipeError
from multigraft.recipe import Data, Recipe

Load = Callable[..., Table]
ENDS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r"]
"""What `str.splitlines` takes for the end of a line, and a table does not."""


@pytest.fixture(params=["memory", "mapped"])
def load(
    request: pytest.FixtureRequest, tmp_path: Path, text: Modality, monkeypatch: pytest.MonkeyPatch
) -> Load:
    """Read a content under a name, as a small file or as one that is mapped from the cache."""
    if request.param == "mapped":
        monkeypatch.setattr("multigraft.data.sources.formats.LARGE", 0)
        monkeypatch.setattr("multigraft.data.sources.formats.CHUNK", 7)

    def start(name: str, content: str | bytes, *, columns: Any = None, **layout: Any) -> Table:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_table(str(path), modality=text, columns=columns or {}, layout=Layout(**layout))

    return start


QUOTED = ['"Nice', 'he said "no', '""', '"', '"a" and "b"', 'so "it" ended"']


class TestTabs:
    def test_quotes_are_text(self, load: Load) -> None:
        texts = [QUOTED[row % len(QUOTED)] if row % 7 == 0 else f"t{row}" for row in range(60)]
        table = load(
            "a.tsv",
            "text\tlabel\n" + "".join(f"{text}\t{row % 2}\n" for row, text in enumerate(texts)),
        )
        assert table.column("text") == texts
        assert table.column("label") == [str(row % 2) for row in range(60)]

    def test_a_file_of_any_name_is_one_by_its_header(self, load: Load) -> None:
        assert load("a.csv", 'text\tlabel\n"x\t1\ny"\t0\n').column("text") == ['"x', 'y"']

    def test_quotes_enclose_where_that_is_asked(self, load: Load) -> None:
        table = load("a.tsv", 'text\tlabel\n"a\tb\nc ""d"""\t1\n', quotes="on")
        assert table.row(0) == {"text": 'a\tb\nc "d"', "label": "1"}

    def test_quotes_enclose_where_the_header_is_quoted(self, load: Load) -> None:
        """As R's write.table does it."""
        assert load("a.tsv", '"text"\t"label"\n"a ""b"""\t"1"\n').row(0) == {
            "text": 'a "b"',
            "label": "1",
        }

    def test_cells_that_look_enclosed_are_told(self, load: Load) -> None:
        table = load("a.tsv", 'text\tlabel\n"a ""b"""\t1\nplain\t0\n"all"\t1\n"half\t0\n')
        assert table.column("text")[0] == '"a ""b"""'
        (note,) = table.notes
        assert note == (
            "a.tsv: 2 rows: a cell stands in quotes, which are kept as text; where quotes enclose "
            "cells, set data.quotes: on; row 1, row 3"
        )

    def test_a_broken_line_says_what_may_be_asked(self, load: Load) -> None:
        with pytest.raises(DataError, match=r"line 2: 1 cells[\s\S]*data\.quotes: on"):
            load("a.tsv", 'text\tlabel\n"a\nb"\t1\n')

    def test_one_column_needs_no_tab(self, load: Load) -> None:
        assert load("a.tsv", "text\na, b\n").column("text") == ["a, b"]

    def test_a_comma_in_the_header_separates_nothing(self, load: Load) -> None:
        assert load("a.tsv", "text\tyes,no\na,b\t1\n").columns == ("text", "yes,no")


class TestQuotes:
    def test_they_are_text_where_that_is_asked(self, load: Load) -> None:
        table = load("a.csv", 'text,label\n"Nice,1\nhe said "no",0\n', quotes="off")
        assert table.column("text") == ['"Nice', 'he said "no"']

    def test_a_quote_that_is_never_closed_names_its_line(self, load: Load) -> None:
        with pytest.raises(DataError, match=r"line 3: [\s\S]*data\.quotes: off"):
            load("a.csv", 'text,label\na,1\n"b,0\nc,1\n')

    @pytest.mark.parametrize(
        ("header", "rows", "swallowed"),
        [
            (
                "label,text",
                [*["pos,x", "neg,y"] * 9, 'pos,"open', "neg,two", 'pos,three"', "neg,z"],
                [19],
            ),
            ("text,label", [*["x,pos", "y,neg"] * 9, '"open,pos', 'two,neg",pos', "z,neg"], [19]),
            (
                "id,text",
                [*[f"{row},t{row}" for row in range(9)], '9,"open', "10,ten", '11,eleven"'],
                [10],
            ),
            ("a;text;label", [*["1;x;A", "2;y;B"] * 5, '3;"o', "4;p;A", '5;q";B'], [11]),
        ],
    )
    def test_rows_that_were_swallowed_are_told(
        self, load: Load, header: str, rows: list[str], swallowed: list[int]
    ) -> None:
        (note,) = load("a.csv", "\n".join([header, *rows]) + "\n").notes
        assert f"{len(swallowed)} row: a cell holds lines that look like rows" in note
        assert note.endswith("; " + ", ".join(f"row {row}" for row in swallowed))

    def test_prose_of_many_lines_is_no_doubt(self, load: Load) -> None:
        prose = (
            '"I came, and saw.\nIt was good, mostly.\nWell, pos, neg, nothing.\nAn end, at last."'
        )
        table = load("a.csv", "text,label\n" + f"{prose},pos\n{prose},neg\n" * 9)
        assert table.notes == ()
        assert len(table) == 18


class TestLines:
    @pytest.mark.parametrize("sign", ENDS)
    @pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_only_a_line_feed_ends_one(self, load: Load, sign: str, name: str, end: str) -> None:
        mark = "," if name == "a.csv" else "\t"
        lines = [f"text{mark}label", f"a{sign}b{mark}1", f"c{mark}{sign}2"]
        table = load(name, end.join(lines) + end)
        assert table.column("text") == [f"a{sign}b", "c"]
        assert table.column("label") == ["1", f"{sign}2"]

    @pytest.mark.parametrize("sign", [each for each in ENDS if each > "\x1f"])
    def test_json_lines_too(self, load: Load, sign: str) -> None:
        rows = [{"text": f"a{sign}b", "label": 1}, {"text": "c", "label": 2}]
        content = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
        assert load("a.jsonl", content).column("text") == [f"a{sign}b", "c"]

    def test_ends_within_quotes_stay_as_they_are(self, load: Load) -> None:
        table = load("a.csv", 'text,label\r\n"a\r\nb\rc\nd",1\r\n')
        assert table.row(0) == {"text": "a\r\nb\rc\nd", "label": "1"}

    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
    def test_an_old_macs_file_is_refused(self, load: Load, name: str) -> None:
        rows = "text\rx\ry\r" if name != "a.jsonl" else '{"text": "x"}\r{"text": "y"}\r'
        with pytest.raises(
            DataError, match="end with carriage returns alone; save it with line feeds"
        ):
            load(name, rows)

    def test_a_row_of_the_last_line_needs_no_end(self, load: Load) -> None:
        assert load("a.csv", "text,label\n\na,1\n\n\nb,2").column("text") == ["a", "b"]


class TestHeader:
    def test_spaces_around_names_are_left_out_and_told(self, load: Load) -> None:
        table = load("a.csv", "text, label ,user\na,1,b\n")
        assert table.columns == ("text", "label", "user")
        assert table.notes == ("a.csv: spaces around names of the header left out: ' label '",)

    def test_what_is_advised_can_be_done(self, load: Load) -> None:
        rows = '{" text": "a", "label": 1}\n'
        with pytest.raises(DataError) as error:
            load("a.jsonl", rows)
        assert 'write data.columns: {text: " text"}' in str(error.value)
        assert load("a.jsonl", rows, columns={"text": " text"}).raw(0) == "a"

    @pytest.mark.parametrize("name", ["TEXT", "Text", " TeXt", "\ufefftext"])
    def test_a_name_in_other_letters_is_found(self, load: Load, name: str) -> None:
        with pytest.raises(DataError, match="did you mean"):
            load("a.jsonl", json.dumps({name: "a"}) + "\n")

    @pytest.mark.parametrize("ends", [True, False], ids=["every row", "the first rows"])
    def test_empty_columns_of_a_spreadsheet_are_left_out(self, load: Load, ends: bool) -> None:
        rows = [f"t{row},{row % 2}" + (",,," if ends or row < 16 else "") for row in range(20)]
        table = load("a.csv", "\n".join(["text,label,,,", *rows, ",,,,", ",,,,"]) + "\n")
        assert table.columns == ("text", "label")
        assert len(table) == 20
        assert table.notes == ("a.csv: 2 rows at the end left out, in which every cell is empty",)

    def test_columns_without_a_name_are_called_by_their_place(self, load: Load) -> None:
        table = load("a.csv", ",text,,label\n0,a,,1\n1,b,x,0\n")
        assert table.column("column 1") == ["0", "1"]
        assert table.column("column 3") == [None, "x"]

    def test_cells_beyond_the_header_count_only_where_they_hold_something(self, load: Load) -> None:
        assert load("a.csv", "text,label\na,1,,\nb,0\n").column("label") == ["1", "0"]
        with pytest.raises(DataError, match="line 3: 4 cells where the header has 2"):
            load("a.csv", "text,label\na,1\nb,0,,x\n")

    def test_an_empty_row_between_others_stays_a_row(self, load: Load) -> None:
        assert load("a.csv", "text,label\na,1\n,\nb,0\n").column("text") == ["a", None, "b"]

    @pytest.mark.parametrize(
        "content",
        [
            "sep=;\ntext;label\na,b;1\n",
            "\n\ntext;label\na,b;1\n",
            "\ufefftext;label\na,b;1\n",
            "text|label\na,b|1\n",
        ],
    )
    def test_the_separator_is_found(self, load: Load, content: str) -> None:
        assert load("a.csv", content).row(0) == {"text": "a,b", "label": "1"}


WORDS = ["schön", "café", "naïve", "übel"]


class TestEncodings:
    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
    def test_rows_of_another_encoding_are_shown_as_they_may_be_meant(
        self, load: Load, name: str
    ) -> None:
        rows = [f"{word},{row % 2}" for row, word in enumerate(WORDS)]
        lines = [json.dumps({"text": word, "label": 1}, ensure_ascii=False) for word in WORDS]
        content = "\n".join(["text,label", *rows] if name == "a.csv" else lines).encode("cp1252")
        with pytest.raises(DataError) as error:
            load(name, content)
        said = str(error.value)
        assert (
            f"{name}: no row can be read; the first, {name} row 1: column 'text' is not UTF-8"
            in said
        )
        assert "schön" in said
        assert "data.encoding: cp1252" in said
        assert load(name, content, encoding="cp1252").column("text") == WORDS

    def test_some_rows_of_another_encoding_too(
        self, load: Load, reader: Reader, objective: Objective
    ) -> None:
        table = load("a.csv", b"text,label\nplain,1\n" + "café,0\n".encode("cp1252"))
        (note,) = table.notes
        assert "data.encoding: cp1252" in note
        with pytest.raises(DataError, match=r"where that is right, set data\.encoding: cp1252"):
            Rows.audit(table, reader, objective, allowed_bad=0, name="train")

    @pytest.mark.parametrize(
        "encoding", ["utf-16", "utf-16-le", "utf-32", "cp1251", "shift_jis", "utf-8-sig"]
    )
    def test_any_encoding_can_be_asked_for(self, load: Load, encoding: str) -> None:
        word = {"cp1251": "добро", "shift_jis": "良い映画"}.get(encoding, "schön")
        content = f"text\tlabel\n{word}\t1\n".encode(encoding)
        assert load("a.csv", content, encoding=encoding).row(0) == {"text": word, "label": "1"}

    def test_bytes_that_are_not_of_the_encoding_asked_for(self, load: Load) -> None:
        with pytest.raises(DataError, match=r"a\.csv: cannot be read as utf-16"):
            load("a.csv", "text\n".encode("utf-16") + b"\x00", encoding="utf-16")
        table = load("a.csv", b"text,label\na\x81,1\nb,0\n", encoding="cp1252")
        assert "is not cp1252: byte 0x81 after 'a'" in (table.problem(0) or "")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (
                "text\n".encode("utf-16"),
                "is UTF-16; save it as UTF-8, or set data.encoding: utf-16",
            ),
            ("text\n".encode("utf-32"), "is UTF-32"),
            ("text,label\n".encode("utf-16-be"), "set data.encoding: utf-16-le"),
            (b"PK\x03\x04rest", "save the sheet as CSV in UTF-8"),
            (b"\x1f\x8brest", "gunzip"),
            (b"PAR1rest", "data.format: parquet"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
            (b"<!doctype html><p>", "is a page of the web"),
        ],
    )
    def test_other_files_than_text_are_named(self, load: Load, content: bytes, said: str) -> None:
        for name in ("a.csv", "a.jsonl"):
            with pytest.raises(DataError, match=said):
                load(name, content)

    def test_a_recipe_knows_its_encoding(self) -> None:
        raw: Any = {
            "task": "t",
            "backbone": "b",
            "data": {"train": "a.csv", "encoding": "latin-9000"},
        }
        with pytest.raises(RecipeError, match=r"data\.encoding: .*no encoding of text"):
            Recipe.parse(raw)


def test_a_recipe_says_how_its_files_are_written(tmp_path: Path, text: Modality) -> None:
    for name in ("a", "b"):
        rows = "".join(f'"{name}{row} é,{row % 2}\n' for row in range(20))
        (tmp_path / f"{name}.csv").write_bytes(f"text,label\n{rows}".encode("cp1252"))
    data = Data(train="a.csv", test="b.csv", encoding="cp1252", quotes="off")
    splits = load_splits(
        data, modality=text, task_columns=(), stratify_by=None, seed=0, base=tmp_path
    )
    assert splits.test.raw(0) == '"b0 é'


class TestForeignJson:
    def test_a_whole_number_of_thousands_of_digits_is_kept(self, load: Load) -> None:
        digits = "7" * 5000
        for content in (
            f'{{"text": "a", "label": {digits}}}\n',
            f'[{{"text": "a", "label": {digits}}}]',
        ):
            assert load("a.json", content).row(0) == {"text": "a", "label": digits}

    @pytest.mark.parametrize("depth", [101, 300, 900])
    def test_a_cell_that_is_nested_deeply_costs_its_row(self, load: Load, depth: int) -> None:
        deep = "[" * depth + "]" * depth
        table = load("a.jsonl", f'{{"text": "a", "label": 1}}\n{{"text": "b", "label": {deep}}}\n')
        assert [table.problem(row) for row in range(2)] == [
            None,
            "column 'label' is nested more than 100 deep",
        ]
        assert table.fingerprint

    @pytest.mark.parametrize(
        "content", ["[" * 5000, '{"a":' * 5000, "[" + "[" * 100_000, '"x"', "7", "[7"]
    )
    def test_whatever_the_parser_meets_is_the_files_fault(self, load: Load, content: str) -> None:
        with pytest.raises(DataError, match=r"a\.json"):
            load("a.json", content)
