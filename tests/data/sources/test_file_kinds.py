"""Each kind of file that rows are kept in gives the rows and the fingerprint of the CSV."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from multigraft.contracts.formats import AUTO, Layout
from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.errors import DataError, MissingDependency, RowError

ROWS = [{"text": f"Grüße, {row}", "label": "ab"[row % 2]} for row in range(12)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}


def csv(rows: list[dict[str, str]] = ROWS) -> bytes:
    lines = [f'"{row["text"]}",{row["label"]}\n' for row in rows]
    return "".join(["text,label\n", *lines]).encode()


def lines(rows: list[dict[str, str]] = ROWS) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def load(source: Any, text: Modality, **settings: Any) -> Table:
    return load_table(source, modality=text, columns={}, layout=Layout(AUTO), **settings)


def saved(folder: Path) -> Path:
    datasets.Dataset.from_dict(COLUMNS).save_to_disk(folder / "saved", num_shards=2)
    return folder / "saved"


def saved_splits(folder: Path) -> Path:
    rows = datasets.Dataset.from_dict(COLUMNS)
    datasets.DatasetDict(train=rows, test=rows.select([0])).save_to_disk(folder / "splits")
    return folder / "splits"


def zipped(folder: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._a.csv", b"\0\5\26")
        for name, content in members.items():
            archive.writestr(f"deep/{name}.csv", content)
    return folder / "a.zip"


def parts(folder: Path, name: str = "parts") -> Path:
    """Two files, of which the second comes first where names are sorted as texts."""
    (folder / name).mkdir()
    for number, rows in ((9, ROWS[:5]), (10, ROWS[5:])):
        (folder / name / f"part-{number}.csv").write_bytes(csv(rows))
    return folder / name


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def arrow(folder: Path) -> Path:
    with (
        pa.OSFile(str(folder / "a.arrow"), "wb") as file,
        pa.ipc.new_stream(file, pa.table(COLUMNS).schema) as stream,
    ):
        stream.write_table(pa.table(COLUMNS), max_chunksize=5)
    return folder / "a.arrow"


def made(write: Callable[[Any, Path], Any], name: str) -> Callable[[Path], Path]:
    def write_table(folder: Path) -> Path:
        write(pa.table(COLUMNS), folder / name)
        return folder / name

    return write_table


def remote(folder: Path) -> str:
    with fsspec.open(f"memory://{folder.name}/a.csv.gz", "wb") as file:
        file.write(gzip.compress(csv()))
    return f"memory://{folder.name}/a.csv.gz"


RUSSIAN = "text,label\n" + "это очень хороший фильм о жизни простых людей,да\n" * 20
TAB = csv().replace(b'"', b"").replace(b"text,label", b"text\tlabel")
DIALECTS = {
    "semicolon": csv().replace(b'",', b'";').replace(b"text,", b"text;"),
    "pipe": csv().replace(b'",', b'"|').replace(b"text,", b"text|"),
    "tab": re.sub(rb",([ab])\n", rb"\t\1\n", TAB),
    "CRLF": csv().replace(b"\n", b"\r\n"),
    "BOM": b"\xef\xbb\xbf" + csv(),
    "Excel's line": b"sep=,\n" + csv(),
    "rows at the end": csv() + b",\n,\n",
    "all in quotes": re.sub(rb",([ab]|label)\n", rb',"\1"\n', csv()).replace(b"text,", b'"text",'),
    "UTF-16": csv().decode().encode("utf-16"),
    "UTF-16 with CRLF": csv().decode().replace("\n", "\r\n").encode("utf-16"),
    "UTF-16 without its mark": csv().decode().encode("utf-16-le"),
    "UTF-16 of the other order": csv().decode().encode("utf-16-be"),
    "UTF-32": csv().decode().encode("utf-32"),
    "cp1252": csv().decode().encode("cp1252"),
    "Latin-1, semicolon": csv()
    .replace(b'",', b'";')
    .replace(b"text,", b"text;")
    .decode()
    .encode("latin-1"),
    "cp1252 with CRLF": csv().decode().replace("\n", "\r\n").encode("cp1252"),
}
KINDS: dict[str, Callable[[Path], Any]] = {
    **{name: written("a.csv", content) for name, content in DIALECTS.items()},
    "tsv": written("a.tsv", DIALECTS["tab"]),
    "jsonl": written("a.jsonl", lines()),
    "JSON": written("a.json", json.dumps(ROWS).encode()),
    "JSON in UTF-16": written("a.json", json.dumps(ROWS, ensure_ascii=False).encode("utf-16")),
    "Parquet": made(parquet.write_table, "a.parquet"),
    "feather": made(feather.write_feather, "a.feather"),
    "a stream of Arrow": arrow,
    "gzip": written("a.csv.gz", gzip.compress(csv())),
    "gzip of cp1252": written("a.csv.gz", gzip.compress(csv().decode().encode("cp1252"))),
    "bzip2": written("a.jsonl.bz2", bz2.compress(lines())),
    "xz": written("a.csv.xz", lzma.compress(csv())),
    "zstd": written("a.csv.zst", pa.compress(csv(), "zstd", asbytes=True)),
    "zstd in frames": written(
        "a.csv.zst",
        b"".join(pa.compress(part, "zstd", asbytes=True) for part in (csv()[:99], csv()[99:])),
    ),
    "zip": lambda folder: zipped(folder, a=csv()),
    "zip of several": lambda folder: zipped(folder, a=csv(ROWS[:3]), b=csv(ROWS[3:])),
    "a folder of files": parts,
    "a pattern": lambda folder: parts(folder) / "part-*.csv",
    "a list": lambda folder: sorted(map(str, parts(folder).iterdir()), reverse=True),
    "a list with one twice": lambda folder: [
        *sorted(map(str, parts(folder).iterdir()), reverse=True),
        str(folder / "parts" / "*.csv"),
    ],
    "saved by datasets": saved,
    "splits saved by datasets": saved_splits,
    "a URL": remote,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_the_rows_of_the_csv(tmp_path: Path, text: Modality, kind: str) -> None:
    found = KINDS[kind](tmp_path)
    table = load(found if isinstance(found, list) else str(found), text)
    assert [table.row(index) for index in range(len(table))] == ROWS
    (tmp_path / "the.csv").write_bytes(csv())
    assert table.fingerprint == load(str(tmp_path / "the.csv"), text).fingerprint
    told = any(word in kind for word in ("UTF-16", "UTF-32", "Latin-1", "cp1252"))
    assert any("is read as" in note for note in table.notes) is told


def test_rows_of_several_files_are_found_by_their_own(tmp_path: Path, text: Modality) -> None:
    table = load(str(parts(tmp_path)), text)
    assert table.name == "part-9.csv, part-10.csv"
    assert (table.place(0), table.place(6)) == ("part-9.csv row 1", "part-10.csv row 2")
    (tmp_path / "parts" / "part-11.csv").write_text("text\n\xff\n", encoding="latin-1")
    more = load_table(str(tmp_path / "parts"), modality=text, columns={})
    assert more.name == "part-9.csv, part-10.csv, part-11.csv"
    assert more.problem(12) is not None and more.row(12) == {"text": None, "label": None}
    assert any("part-11.csv: lacks" in note and "'label'" in note for note in more.notes)


def test_a_file_without_the_values_is_named(tmp_path: Path, text: Modality) -> None:
    (parts(tmp_path) / "part-11.csv").write_text("txt,label\nx,a\n")
    with pytest.raises(DataError, match=r"part-11\.csv: column 'text' is missing; did you mean"):
        load(str(tmp_path / "parts"), text)


def test_pictures_named_in_files_of_several_folders_are_found(
    tmp_path: Path, image: Modality
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_text(name)
        (tmp_path / name / "rows.csv").write_text("image,label\na.png,x\n../a.png,x\n")
    table = load([str(tmp_path / name / "rows.csv") for name in ("one", "two")], image)
    assert [Path(table.raw(row)).read_text() for row in (0, 2)] == ["one", "two"]
    with pytest.raises(RowError, match="leaves the data's folder"):
        table.raw(1)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("train.csv", "test.csv"), r"data: {train: \S+train\.csv, test: \S+test\.csv}"),
        (
            ("train-0-of-2.csv", "train-1-of-2.csv", "validation-0-of-1.csv"),
            r"data: {train: \S+train\*\.csv, validation: \S+validation-0-of-1\.csv}",
        ),
        (("a.csv", "b.jsonl"), r"several kinds \(\.csv, \.jsonl\); .* as \S+\*\.csv"),
    ],
)
def test_a_folder_of_what_does_not_belong_together_is_refused(
    tmp_path: Path, text: Modality, names: tuple[str, ...], said: str
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(csv() if name.endswith(".csv") else lines())
    with pytest.raises(DataError, match=said):
        load(str(tmp_path), text)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv.gz", b"no gzip", r"a\.csv\.gz: cannot be unpacked: .*gzip"),
        ("a.csv.gz", gzip.compress(csv())[:-9], r"a\.csv\.gz: cannot be unpacked"),
        ("a.csv.zst", b"no zstd", r"a\.csv\.zst: cannot be unpacked"),
        ("a.zip", b"PK\x03\x04 no zip", r"a\.zip: cannot be unpacked"),
        ("a.gz", gzip.compress(csv()), r"a\.gz: cannot tell .* as rows\.csv\.gz"),
        ("a.arrow", b"ARROW1\0\0 nonsense", r"a\.arrow: is not a sound Arrow file"),
        ("a.xlsx", b"no zip", r"openpyxl|cannot be read"),
        ("a.txt", b"\n \n", r"a\.txt: holds no rows"),
        ("a.csv", RUSSIAN.encode("cp1251"), r"as cp1251 'это очень"),
        (
            "a.csv",
            "text,label\n東京は大きい都市です,a\n".encode("shift_jis"),
            r"set data\.encoding",
        ),
        ("a.csv", b"text\rone\rtwo\r", "carriage returns alone"),
    ],
)
def test_broken_files_are_named_with_what_to_do(
    tmp_path: Path, text: Modality, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, MissingDependency), match=said):
        load(str(tmp_path / name), text)


def test_an_archive_says_what_it_holds(tmp_path: Path, text: Modality) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../outside.csv", csv())
    table = load(str(tmp_path / "a.zip"), text)
    assert len(table) == len(ROWS) and not (tmp_path.parent / "outside.csv").exists()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("photo.bmp", b"x")
    with pytest.raises(DataError, match="holds no file of rows"):
        load(str(tmp_path / "b.zip"), text)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.csv", csv())
        archive.writestr("b.jsonl", lines())
    with pytest.raises(DataError, match="several kinds"):
        load(str(tmp_path / "c.zip"), text)


def test_what_is_unpacked_is_kept_and_made_anew_once_the_file_changes(
    tmp_path: Path, text: Modality, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(csv()))
    for _ in range(2):
        load(str(path), text)
    assert len(list((cache_folder / "unpacked").iterdir())) == 1
    path.write_bytes(gzip.compress(csv(ROWS[:2])))
    assert len(load(str(path), text)) == 2
    monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0")
    path.write_bytes(gzip.compress(csv(ROWS[:3])))
    assert len(load(str(path), text)) == 3


def test_a_packed_file_is_no_way_to_fill_the_disk(
    tmp_path: Path, text: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.data.sources.unpacking.SPARE", 2**62)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(csv()))
    with pytest.raises(DataError, match=r"a\.csv\.gz: the disk has no room"):
        load(str(tmp_path / "a.csv.gz"), text)


class TestPlainText:
    def write(self, folder: Path, content: str) -> str:
        (folder / "a.txt").write_text(content, encoding="utf-8", newline="")
        return str(folder / "a.txt")

    def test_a_row_is_a_line(self, tmp_path: Path, text: Modality) -> None:
        table = load(self.write(tmp_path, "one\r\n\r\n two, 2\r\n"), text)
        assert table.column("text") == ["one", " two, 2"]
        (note,) = table.notes
        assert "1 blank line left out" in note and "data.format: paragraphs" in note

    def test_or_a_paragraph(self, tmp_path: Path, text: Modality) -> None:
        path = self.write(tmp_path, "\none\ntwo\n\n \nthree\n")
        table = load(path, text, format="paragraphs")
        assert table.column("text") == ["one\ntwo", "three"] and table.notes == ()

    def test_of_an_encoding_that_is_found(self, tmp_path: Path, text: Modality) -> None:
        (tmp_path / "a.txt").write_bytes("füchse\nhühner\n".encode("cp1252"))
        assert load(str(tmp_path / "a.txt"), text).column("text") == ["füchse", "hühner"]


class TestFoldersOfTexts:
    def write(self, folder: Path, *names: str) -> Path:
        for number, name in enumerate(names):
            (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "set" / name).write_bytes(f"Grüße\nnumber {number}".encode())
        return folder / "set"

    def test_a_file_is_a_row_and_its_folder_the_label(self, tmp_path: Path, text: Modality) -> None:
        folder = self.write(tmp_path, "neg/1.txt", "pos/deep/2.TXT", "notes.md")
        (folder / ".README.txt").touch()
        (folder / "pos" / "3.txt").write_bytes("Füße".encode("cp1252"))
        (folder / "pos" / "4.txt").write_bytes(b"caf\xe9 \xc3\xa9\xc3\xa9")
        table = load(str(folder), text)
        assert table.column("text")[:3] == ["Grüße\nnumber 0", "Füße", None]
        assert table.column("label") == ["neg", "pos", "pos", "pos"]
        assert table.place(3) == "set/pos/deep/2.TXT"
        assert "not UTF-8" in (table.problem(2) or "")
        assert "set: 1 file of other kinds left out: 1 .md" in table.notes

    def test_splits_are_no_classes(self, tmp_path: Path, text: Modality) -> None:
        folder = self.write(tmp_path, "train/neg/1.txt", "test/neg/2.txt")
        with pytest.raises(DataError, match=r"holds splits, not classes; [\s\S]*train: set/train"):
            load(str(folder), text)
        assert load(str(folder / "train"), text).row(0)["label"] == "neg"


class TestWorkbooks:
    def test_the_first_sheet_is_read(self, tmp_path: Path, text: Modality) -> None:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for cells in (
            ("text", "label", None),
            *(tuple(row.values()) for row in ROWS),
            (None, None),
        ):
            book.active.append(cells)
        book.create_sheet("notes")
        book.save(tmp_path / "a.xlsx")
        table = load(str(tmp_path / "a.xlsx"), text)
        assert [table.row(index) for index in range(len(table))] == ROWS
        assert any("1 more ('notes')" in note for note in table.notes)

    def test_what_reads_it_may_be_missing(
        self, tmp_path: Path, text: Modality, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "openpyxl", None)
        (tmp_path / "a.xlsx").write_bytes(b"PK")
        with pytest.raises(MissingDependency, match=r'pip install "multigraft\[excel\]"'):
            load(str(tmp_path / "a.xlsx"), text)


class TestRemote:
    def test_a_pattern_of_urls(self, tmp_path: Path, text: Modality) -> None:
        for name, rows in (("a", ROWS[:4]), ("b", ROWS[4:])):
            with fsspec.open(f"memory://{tmp_path.name}/{name}.csv", "wb") as file:
                file.write(csv(rows))
        table = load(f"memory://{tmp_path.name}/*.csv", text)
        assert [table.row(index) for index in range(len(table))] == ROWS

    def test_what_changed_is_fetched_again(self, tmp_path: Path, text: Modality) -> None:
        for rows in (ROWS, ROWS[:5]):
            with fsspec.open(f"memory://{tmp_path.name}/a.csv", "wb") as file:
                file.write(csv(rows))
            assert len(load(f"memory://{tmp_path.name}/a.csv", text)) == len(rows)

    @pytest.mark.parametrize("url", ["memory://nowhere/a.csv", "nonsense://a/b.csv"])
    def test_what_cannot_be_read_is_named(
        self, text: Modality, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for each in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            monkeypatch.delenv(each, raising=False)
        with pytest.raises(DataError, match=rf"{url}: cannot be read"):
            load(url, text)

    @pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
    def test_nothing_is_fetched_where_a_person_says_so(
        self, text: Modality, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        for each in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            monkeypatch.delenv(each, raising=False)
        monkeypatch.setenv(name, "1")
        with pytest.raises(DataError, match=f"s3://a/b.csv: is not fetched, since {name} is set"):
            load("s3://a/b.csv", text)

    def test_fsspec_may_be_missing(self, text: Modality, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fsspec", None)
        with pytest.raises(DataError, match="pip install fsspec"):
            load("memory://a/b.csv", text)


class TestEncodingsThatAreUnsure:
    @pytest.mark.parametrize(
        ("content", "encoding"),
        [
            ("Das Fräulein fährt früh, où l'été brûle; ¿qué? «ça»", "cp1252"),
            ("5 € – ‘so’ it’s said… naïve café", "cp1252"),
            ("Þórður á Ísafirði", "cp1252"),
        ],
    )
    def test_western_texts_are_read(
        self, tmp_path: Path, text: Modality, content: str, encoding: str
    ) -> None:
        (tmp_path / "a.csv").write_bytes(f'text\n"{content}"\n'.encode(encoding))
        assert load(str(tmp_path / "a.csv"), text).column("text") == [content]

    @pytest.mark.parametrize(
        ("content", "encoding"),
        [
            ("Отличный фильм", "cp1251"),
            ("Zażółć gęślą jaźń", "cp1250"),
            ("今日は天気がいい", "euc_jp"),
            ("这部电影很好看", "gb18030"),
            ("Καλημέρα κόσμε", "cp1253"),
            ("déjà vu café crème", "cp437"),
        ],
    )
    def test_others_are_not_guessed(
        self, tmp_path: Path, text: Modality, content: str, encoding: str
    ) -> None:
        (tmp_path / "a.csv").write_bytes(f"text,label\n{content},a\n".encode(encoding))
        with pytest.raises(DataError, match=r"set data\.encoding"):
            load(str(tmp_path / "a.csv"), text)

    def test_a_broken_sign_among_those_of_utf8_costs_its_row(
        self, tmp_path: Path, text: Modality
    ) -> None:
        content = "text\ncafé\nnaïve\nschön\n".encode() + b"caf\xe9\n"
        (tmp_path / "a.csv").write_bytes(content)
        table = load(str(tmp_path / "a.csv"), text)
        assert table.column("text") == ["café", "naïve", "schön", None]
        assert "not UTF-8: byte 0xe9" in (table.problem(3) or "")

    def test_a_header_beyond_ascii_too(self, tmp_path: Path, text: Modality) -> None:
        (tmp_path / "a.csv").write_bytes("text;größe\nfein;7\n".encode("cp1252"))
        assert load(str(tmp_path / "a.csv"), text).row(0) == {"text": "fein", "größe": "7"}
