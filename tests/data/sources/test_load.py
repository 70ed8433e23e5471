from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.errors import DataError, OutOfMemory, RowError


@pytest.fixture(autouse=True, params=["memory", "mapped"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is read as a small one, and as one that is mapped from the cache in chunks of two
    rows."""
    if request.param == "mapped":
        monkeypatch.setattr("multigraft.data.sources.formats.LARGE", 0)
        monkeypatch.setattr("multigraft.data.sources.formats.CHUNK", 2)


def load(path: Path, modality: Modality, **columns: str) -> Table:
    return load_table(str(path), modality=modality, columns=columns)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


ROWS = [{"text": "good film", "label": 1}, {"text": "bäd, film\nreally", "label": 0}]


def rows_of(table: Table) -> list[dict[str, Any]]:
    return [table.row(index) for index in range(len(table))]


def test_csv_cells_are_text_and_places_count_records(tmp_path: Path, text: Modality) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"two\nlines",1\n\nNA,\n"say ""yes""",007\n')
    table = load(path, text)
    assert rows_of(table) == [
        {"text": "two\nlines", "label": "1"},
        {"text": "NA", "label": None},
        {"text": 'say "yes"', "label": "007"},
    ]
    assert [table.place(index) for index in range(3)] == [
        "a.csv row 1",
        "a.csv row 2",
        "a.csv row 3",
    ]


@pytest.mark.parametrize(("ending", "mark"), [(".csv", ";"), (".tsv", "\t"), (".csv", ",")])
def test_csv_separator_is_found_in_the_header(
    tmp_path: Path, text: Modality, ending: str, mark: str
) -> None:
    path = write(tmp_path / f"a{ending}", f"\ufefftext{mark}label\na{mark}1\n")
    assert rows_of(load(path, text)) == [{"text": "a", "label": "1"}]


def test_csv_rows_survive_the_borders_of_chunks(
    tmp_path: Path, text: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.data.sources.formats.CHUNK", 3)
    path = write(tmp_path / "a.csv", "text\n" + "".join(f"t{row}\n" for row in range(10)))
    assert load(path, text).column("text") == [f"t{row}" for row in range(10)]


def test_csv_cell_may_be_long(tmp_path: Path, text: Modality) -> None:
    table = load(write(tmp_path / "a.csv", "text,label\n" + "x" * 300_000 + ",1\n"), text)
    assert len(table.raw(0)) == 300_000


@pytest.mark.parametrize("lines", [True, False])
def test_json_keeps_each_rows_own_types(tmp_path: Path, text: Modality, lines: bool) -> None:
    rows = [*ROWS, {"text": 5, "label": [1, 2]}, {"label": 2**70}, {"text": "x", "label": {"a": 1}}]
    whole = "\n".join(json.dumps(row) for row in rows) if lines else json.dumps(rows, indent=1)
    table = load(write(tmp_path / "a.json", whole), text)
    assert rows_of(table) == [{"text": None, **row} for row in rows]
    with pytest.raises(RowError, match="column 'text' is empty"):
        table.raw(3)


def test_parquet_gives_class_names_and_the_bytes_of_images(tmp_path: Path, image: Modality) -> None:
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    cells = [{"bytes": b"not an image", "path": None}, {"bytes": b"nor this", "path": "x.png"}]
    rows = datasets.Dataset.from_dict({"image": cells, "label": [1, -1]}, features=features)
    rows.to_parquet(tmp_path / "a.parquet")
    table = load(tmp_path / "a.parquet", image)
    assert [table.raw(0), table.raw(1)] == [b"not an image", b"nor this"]
    assert table.column("label") == ["dog", None]
    assert table.select([1]).place(0) == "a.parquet row 2"


def test_parquet_may_name_files(tmp_path: Path, image: Modality) -> None:
    rows = datasets.Dataset.from_dict({"image": [{"bytes": None, "path": "x.png"}]})
    rows.to_parquet(tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet", image).raw(0) == str(tmp_path / "x.png")


def test_parquet_text_that_is_not_utf8_is_refused(tmp_path: Path, text: Modality) -> None:
    cells = pa.array([b"caf\xe9"]).view(pa.string())
    parquet.write_table(pa.table({"text": cells}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: is not a sound .*UTF8"):
        load(tmp_path / "a.parquet", text)


@pytest.mark.parametrize(
    "told",
    [
        b"not JSON",
        b"[]",
        b"7",
        b'{"info": 7}',
        b'{"info": {"features": []}}',
        b'{"info": {"features": {"label": {"names": 7}}}}',
        b'{"info": {"features": {"label": {"names": ["one"]}}}}',
        b'{"info": {"features": {"text": {"names": ["a", "b"]}}}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_a_parquet_file_says_of_its_classes_may_be_odd(
    tmp_path: Path, text: Modality, told: bytes
) -> None:
    table = pa.table({"text": ["a", "b"], "label": [0, 1]}).replace_schema_metadata(
        {"huggingface": told}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: is not a sound Parquet file: "):
        load(tmp_path / "a.parquet", text)


def test_folder_has_a_class_a_subfolder(tmp_path: Path, image: Modality) -> None:
    for name in ("cat/1.png", "cat/deep/2.JPG", "test/3.png", "test/notes.txt", ".hidden/4.png"):
        write(tmp_path / "photos" / name, name)
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "5.png", "linked")
    (tmp_path / "photos" / "owl").symlink_to(tmp_path / "elsewhere")
    table = load(tmp_path / "photos", image)
    assert table.column("label") == ["cat", "cat", "owl", "test"]
    assert [table.place(index) for index in range(4)] == [
        "photos/cat/1.png",
        "photos/cat/deep/2.JPG",
        "photos/owl/5.png",
        "photos/test/3.png",
    ]
    assert Path(table.raw(0)).read_text() == "cat/1.png"
    assert table.notes == (
        "photos: 1 file of other kinds left out: 1 .txt",
        "photos: 1 entry whose name begins with a dot left out: '.hidden'; rename a class that is "
        "called so",
    )


def test_folder_without_classes_has_no_label(tmp_path: Path, image: Modality) -> None:
    write(tmp_path / "photos" / "1.png", "x")
    assert load(tmp_path / "photos", image).columns == ("image",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", "file_name,label,caption\ncat/1.png,NA,a cat.\n2.png,dog,\n"),
        (
            "metadata.jsonl",
            '{"file_name": "cat/1.png", "label": "NA", "caption": "a cat."}\n'
            '{"file_name": "2.png", "label": "dog"}\n',
        ),
    ],
)
def test_folder_with_metadata(tmp_path: Path, image: Modality, name: str, content: str) -> None:
    write(tmp_path / "photos" / name, content)
    table = load(tmp_path / "photos", image)
    assert table.column("label") == ["NA", "dog"]
    assert table.raw(0) == (str(tmp_path / "photos/cat/1.png"), "a cat.")
    assert table.raw(1) == str(tmp_path / "photos/2.png")
    assert table.place(0) == "photos/cat/1.png"


def test_folder_of_parts_says_how_to_name_them(tmp_path: Path, image: Modality) -> None:
    for part in ("train", "val", "test"):
        write(tmp_path / "photos" / part / "cat" / "1.png", "x")
    with pytest.raises(DataError) as error:
        load(tmp_path / "photos", image)
    for line in ("train: photos/train", "validation: photos/val", "test: photos/test"):
        assert f"  {line}" in str(error.value).splitlines()


def test_file_names_in_a_csv_start_at_its_folder(tmp_path: Path, image: Modality) -> None:
    path = write(tmp_path / "set" / "a.csv", "image,label\nx/1.png,a\n/abs/2.png,b\n../3.png,c\n")
    table = load(path, image)
    assert table.raw(0) == str(tmp_path / "set" / "x" / "1.png")
    assert table.raw(1) == "/abs/2.png"
    with pytest.raises(RowError, match="leaves the data's folder"):
        table.raw(2)


def test_columns_are_mapped_and_others_kept(tmp_path: Path, text: Modality) -> None:
    path = write(tmp_path / "a.csv", "review,stars,user\nfine,3,ann\n")
    table = load(path, text, text="review", label="stars")
    assert rows_of(table) == [{"text": "fine", "label": "3", "user": "ann"}]


def test_two_raw_columns_make_a_pair(tmp_path: Path, text: Modality) -> None:
    table = load(write(tmp_path / "a.csv", "text,text_pair\na,b\nc,\n"), text)
    assert list(table.raws()) == [("a", "b"), "c"]


@pytest.mark.parametrize(
    ("header", "columns", "parts"),
    [
        ("texts,label", {}, ["'text' is missing", "{text: texts}", "it holds: texts, label"]),
        ("a,b", {}, ["'text' is missing", "data.columns: {text: <", "it holds: a, b"]),
        ("review", {"text": "reviw"}, ["data.columns: text", "did you mean 'review'?"]),
    ],
)
def test_missing_columns_are_named(
    tmp_path: Path, text: Modality, header: str, columns: dict[str, str], parts: list[str]
) -> None:
    path = write(
        tmp_path / "a.csv", f"{header}\n" + ",".join("x" for _ in header.split(",")) + "\n"
    )
    with pytest.raises(DataError) as error:
        load(path, text, **columns)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        (
            "a.csv",
            "text,label\na,1\nb\nc,2,3\n",
            ["line 3: 1 cells", "line 4: 3 cells", "header has 2"],
        ),
        ("a.csv", 'text,label\n"a\nb",1\n"open,2\nc,3\n', ["line 4: unexpected end of data"]),
        ("a.csv", "", ["is empty"]),
        ("a.csv", "text,label\n", ["holds no rows"]),
        ("a.csv", "text,text\na,b\n", ["names 'text' more than once"]),
        ("a.csv", b"t\xe4xt,label\na,b\n", ["name is not UTF-8: byte 0xe4"]),
        ("a.csv", "text\nx\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": \n[1]\n',
            ["line 2: is not JSON", "line 3: holds list"],
        ),
        ("a.json", '[{"text": "a"},\n {"text" 5}]', ["line 2: is not JSON"]),
        ("a.json", '[{"text": "a"}, 7]', ["item 2"]),
        ("a.jsonl", "[" * 100_000, ["a.jsonl"]),
        ("a.jsonl", "\n", ["is empty"]),
        ("a.parquet", b"PAR1 nonsense", ["not a sound Parquet file"]),
        ("a.doc", "x", ["'.doc'", "data.format"]),
    ],
)
def test_files_that_cannot_be_parsed(
    tmp_path: Path, text: Modality, name: str, content: str | bytes, parts: list[str]
) -> None:
    with pytest.raises(DataError) as error:
        load(write(tmp_path / name, content), text)
    assert all(part in str(error.value) for part in [name, *parts]), str(error.value)


@pytest.mark.parametrize(
    ("name", "fails", "how"),
    [
        ("a.jsonl", "multigraft.data.sources.json_rows.parse", MemoryError()),
        ("a.json", "multigraft.data.sources.json_rows.parse", MemoryError()),
        ("a.csv", "multigraft.data.sources.cells.Path.open", OSError(errno.ENOMEM, "no memory")),
    ],
)
def test_memory_that_runs_out_is_not_the_files_fault(
    tmp_path: Path,
    text: Modality,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    fails: str,
    how: Exception,
) -> None:
    path = write(tmp_path / name, '[{"text": "a"}]' if name == "a.json" else '{"text": "a"}\n')

    def short(*args: Any, **kwargs: Any) -> Any:
        raise how

    monkeypatch.setattr(fails, short)
    with pytest.raises(OutOfMemory, match=rf"^{name}: .*memory ran out"):
        load(path, text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,label\ngood,0\ncaf\xe9,1\nfine,0\n"),
        (
            "a.jsonl",
            b'{"text": "good", "label": "0"}\n{"text": "caf\xe9"}\n'
            b'{"text": "fine", "label": "0"}\n',
        ),
        ("a.json", b'[{"text": "good"}, {"text": "caf\xe9"}, {"text": "fine"}]'),
    ],
)
def test_undecodable_bytes_cost_one_row(
    tmp_path: Path, text: Modality, name: str, content: bytes
) -> None:
    table = load(write(tmp_path / name, content), text)
    assert [table.problem(index) is None for index in range(3)] == [True, False, True]
    with pytest.raises(RowError, match="column 'text' is not UTF-8: byte 0xe9 after 'caf'"):
        table.raw(1)
    assert list(table.raws()) == ["good", "fine"]
    assert table.column("text") == ["good", None, "fine"]


def test_half_a_surrogate_pair_costs_one_row(tmp_path: Path, text: Modality) -> None:
    table = load(write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": ["\\ud83d"]}\n'), text)
    assert "half a pair U+D83D" in (table.problem(1) or "")


def test_missing_files_and_wrong_kinds(tmp_path: Path, text: Modality, image: Modality) -> None:
    write(tmp_path / "reviews.csv", "text\nx\n")
    with pytest.raises(DataError, match=r"did you mean 'reviews\.csv'\?"):
        load(tmp_path / "review.csv", text)
    assert load(tmp_path, text).column("text") == ["x"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="text is not read from a folder of files; give a file of "):
        load(tmp_path / "empty", text)
    for split in ("train", "test"):
        write(tmp_path / "splits" / f"{split}.csv", "text\nx\n")
    with pytest.raises(DataError, match=r"data: {train: .*train\.csv, test: .*test\.csv}"):
        load(tmp_path / "splits", text)
    with pytest.raises(DataError, match=r"holds no file ending in \.png, \.jpg"):
        load(tmp_path / "empty", image)
    with pytest.raises(DataError, match=r"column 'image' is missing"):
        load(tmp_path, image)
    with pytest.raises(DataError, match=r"is a folder, but data\.format is 'csv'"):
        load_table(str(tmp_path), format="csv", modality=text, columns={})
    with pytest.raises(DataError, match=r"is a file, but data\.format is 'folder'"):
        load_table("reviews.csv", format="folder", modality=image, columns={}, base=tmp_path)


def test_a_changed_file_is_read_anew(tmp_path: Path, text: Modality) -> None:
    path = write(tmp_path / "a.csv", "text\nold\n")
    before = load(path, text)
    write(path, "text\nnew\n")
    assert (before.raw(0), load(path, text).raw(0)) == ("old", "new")
    assert before.fingerprint != load(path, text).fingerprint


def test_loading_is_quiet(
    tmp_path: Path, text: Modality, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    load(tmp_path / "a.jsonl", text)
    assert capfd.readouterr() == ("", "")


class TestHub:
    def test_a_split_is_read(self, text: Modality, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def load_dataset(name: str, subset: str | None) -> datasets.DatasetDict:
            asked.append((name, subset))
            part = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
            return datasets.DatasetDict(train=part, test=part.select([1]))

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        table = load_table("hub:ann/films:small", modality=text, columns={}, split="test")
        assert asked == [("ann/films", "small")]
        assert (table.raw(0), table.place(0)) == ("b", "hub:ann/films:small test row 1")
        with pytest.raises(DataError, match="has no split 'validation'; it has: train, test"):
            load_table("hub:ann/films", modality=text, columns={}, split="validation")

    def test_whatever_a_set_raises_is_said_with_its_name(
        self, text: Modality, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load_dataset(name: str, subset: str | None) -> datasets.DatasetDict:
            raise KeyError("features")

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        with pytest.raises(DataError, match="hub:ann/films: cannot be loaded: 'features'"):
            load_table("hub:ann/films", modality=text, columns={})

    def test_offline_says_what_to_do(
        self,
        text: Modality,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        shown = datasets.are_progress_bars_disabled()
        with pytest.raises(
            DataError, match=r"hub:nobody/nothing: cannot be loaded[\s\S]*give a file"
        ):
            load_table("hub:nobody/nothing", modality=text, columns={})
        assert datasets.are_progress_bars_disabled() == shown
        assert capfd.readouterr().err == ""


class TestFingerprint:
    def test_it_is_known(self, tmp_path: Path, text: Modality) -> None:
        """Written down, so that a change of the rule, or another machine's answer, shows."""
        table = load(write(tmp_path / "a.csv", "text,label\nä,1\nb,\n"), text)
        assert table.fingerprint == "711e413cd11f24f3"

    def test_it_sees_order_labels_and_names(self, tmp_path: Path, text: Modality) -> None:
        contents = [
            "text,label\na,1\nb,2\n",
            "text,label\nb,2\na,1\n",
            "text,label\na,1\nb,3\n",
            "text,l\na,1\nb,2\n",
        ]
        tables = [load(write(tmp_path / "a.csv", content), text) for content in contents]
        assert len({table.fingerprint for table in tables}) == 4
        assert tables[0].select([1, 0]).fingerprint == tables[1].fingerprint

    def test_files_count_by_their_bytes(self, tmp_path: Path, image: Modality) -> None:
        for folder in ("one", "two"):
            write(tmp_path / folder / "photos/cat/1.png", b"x" * 200_000)
            write(tmp_path / folder / "photos/dog/1.png", b"y")
        one, two = (load(tmp_path / folder / "photos", image) for folder in ("one", "two"))
        assert one.fingerprint == two.fingerprint
        write(tmp_path / "two/photos/cat/1.png", b"x" * 100_000 + b"z" + b"x" * 99_999)
        changed = load(tmp_path / "two/photos", image)
        assert changed.fingerprint != one.fingerprint
        assert (changed.digests == one.digests).tolist() == [False, True]

    @pytest.mark.parametrize(
        "named", ["mask.npz", "deep/mask.png", "./words.TextGrid", "a b.txt", "whole path"]
    )
    @pytest.mark.parametrize("cell", ["alone", "list", "object"])
    def test_a_file_that_any_column_names_counts_by_its_bytes(
        self, tmp_path: Path, text: Modality, image: Modality, named: str, cell: str
    ) -> None:
        file = tmp_path / ("whole.npy" if named == "whole path" else named)
        name = str(file) if named == "whole path" else named
        value: Any = {"alone": name, "list": ["x", name], "object": {"bytes": None, "path": name}}[
            cell
        ]
        row = {"text": "a", "image": "1.png", "label": "b.c", "mask": value}
        path = write(tmp_path / "a.jsonl", json.dumps(row) + "\n")
        found = []
        for content in ("one", "one", "two"):
            write(file, content)
            found += [load(path, modality).fingerprint for modality in (text, image)]
        assert found[:2] == found[2:4]
        assert not set(found[:2]) & set(found[4:])

    def test_a_text_is_no_file_whatever_it_says(self, tmp_path: Path, text: Modality) -> None:
        path = write(tmp_path / "a.csv", "text\na.txt\n")
        before = load(path, text).fingerprint
        write(tmp_path / "a.txt", "anything")
        assert load(path, text).fingerprint == before

    def test_a_file_that_metadata_names_counts_too(self, tmp_path: Path, image: Modality) -> None:
        write(tmp_path / "set" / "metadata.csv", "file_name,mask\n1.png,m/1.npy\n")
        before = [
            load(tmp_path / "set", image).fingerprint
            for content in ("one", "two")
            if write(tmp_path / "set" / "m" / "1.npy", content)
        ]
        assert len(set(before)) == 2

    def test_a_missing_file_is_left_to_the_reader(self, tmp_path: Path, image: Modality) -> None:
        path = write(tmp_path / "a.csv", "image,caption\nno.png,words\n" + "\0.png,words\n")
        assert len(set(load(path, image).digests.tolist())) == 2


def test_local_files_need_no_datasets_library(tmp_path: Path, text: Modality) -> None:
    """It takes seconds to import, and counts downloads over the network."""
    import subprocess

    write(tmp_path / "a.csv", "text\nx\n")
    code = (
        "import sys; from multigraft.data.sources.load import load_table; from "
        "multigraft.contracts.records import Modality\n"
        f"load_table({str(tmp_path / 'a.csv')!r}, columns={{}},"
        " modality=Modality(name='t', reader=dict, columns=('text',)))\n"
        "sys.exit('datasets' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
