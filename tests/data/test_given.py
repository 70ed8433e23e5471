"""Rows given in Python: each container gives the rows of the CSV, and a run of its own folder."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

import multigraft_series
from helpers.toys import write_rows
from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.data.given import without_rows
from multigraft.data.sources import values
from multigraft.data.sources.containers import Shape
from multigraft.data.sources.rows_file import as_source
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError, RunError
from multigraft.runs.run import Run

TEXTS = [f"Grüße {row}" for row in range(9)]
LABELS = ["ab"[row % 2] for row in range(9)]
NUMBERS = [row % 2 for row in range(9)]
COLUMNS = {"text": TEXTS, "label": LABELS}
ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
CLASSES = datasets.Features(
    {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])}
)
PAIRS = Shape("text", "label")


class Pairs(Dataset[tuple[str, int]]):
    """As a data set of torchvision is: pairs, with names of classes."""

    classes = ("a", "b")

    def __len__(self) -> int:
        return len(TEXTS)

    def __getitem__(self, index: int) -> tuple[str, int]:
        return TEXTS[index], NUMBERS[index]


class Stream:
    """What gives itself to others as Arrow's C stream and no more: polars, duckdb."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        views = pa.schema({"text": pa.string_view(), "label": pa.string()})
        return pa.table(COLUMNS).cast(views).__arrow_c_stream__(requested_schema)


CONTAINERS: dict[str, Callable[[], Any]] = {
    "a list of mappings": lambda: ROWS,
    "an iterator of mappings": lambda: iter(ROWS),
    "a list of pairs": lambda: list(zip(TEXTS, LABELS, strict=True)),
    "a mapping of lists": lambda: COLUMNS,
    "a mapping of arrays": lambda: {"text": np.array(TEXTS), "label": np.array(LABELS, object)},
    "a pair of lists": lambda: (TEXTS, LABELS),
    "a pair of columns of pandas": lambda: (
        pd.Series(TEXTS, index=range(5, 14)),
        pd.Series(LABELS, dtype=object, index=range(5, 14)),
    ),
    "a mapping of columns of pyarrow": lambda: {
        "text": pa.array(TEXTS),
        "label": pa.chunked_array([LABELS[:4], LABELS[4:]]),
    },
    "pandas": lambda: pd.DataFrame(COLUMNS, index=range(100, 109)),
    "pandas with objects": lambda: pd.DataFrame(
        {"text": pd.Series(TEXTS, dtype=object), "label": pd.Categorical(LABELS)}
    ),
    "pyarrow": lambda: pa.table(COLUMNS),
    "a batch of pyarrow": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "a stream of Arrow": Stream,
    "datasets": lambda: datasets.Dataset.from_dict(COLUMNS),
    "datasets with classes": lambda: datasets.Dataset.from_dict(
        {"text": TEXTS, "label": NUMBERS}, features=CLASSES
    ),
    "datasets, chosen and formatted": lambda: (
        datasets.Dataset.from_dict({"text": [*TEXTS, "more"], "label": [*LABELS, "a"]})
        .select(range(9))
        .with_format("numpy")
    ),
    "a stream of datasets": lambda: datasets.Dataset.from_dict(COLUMNS).to_iterable_dataset(),
    "a data set of PyTorch": Pairs,
}


def read(rows: Any, modality: Modality, shape: Shape = PAIRS) -> Table:
    with as_source(rows, shape) as source:
        return load_table(source, modality=modality, columns={})


@pytest.mark.parametrize("kind", CONTAINERS)
def test_each_container_gives_the_rows_of_the_csv(
    tmp_path: Path, text: Modality, kind: str
) -> None:
    lines = [f"{row['text']},{row['label']}\n" for row in ROWS]
    (tmp_path / "a.csv").write_text("".join(["text,label\n", *lines]), encoding="utf-8")
    table = read(CONTAINERS[kind](), text)
    assert [table.row(index) for index in range(len(table))] == ROWS
    wanted = load_table(str(tmp_path / "a.csv"), modality=text, columns={})
    assert table.fingerprint == wanted.fingerprint
    assert table.place(1) == "data.parquet row 2"


def test_polars_is_such_a_stream(text: Modality) -> None:
    polars = pytest.importorskip("polars")
    assert read(polars.DataFrame(COLUMNS), text).column("text") == TEXTS


def test_values_keep_their_own_types(text: Modality) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a", "label": 1, "spans": [{"start": 0, "end": 1}], "mixed": "x", "big": 2**70},
        {"text": "b", "label": 2, "spans": [], "mixed": 5, "big": None, "late": np.float32(0.5)},
        {"text": "half \ud83d", "label": None},
    ]
    table = read(rows, text)
    names = ("text", "label", "spans", "mixed", "big", "late")
    wanted = [{name: row.get(name) for name in names} for row in rows]
    assert [table.row(index) for index in range(3)] == wanted


def test_what_pandas_has_no_value_for_is_empty(text: Modality) -> None:
    frame = pd.DataFrame({"text": ["a", None], "label": [1.0, np.nan], "odd": [np.nan, {"a": 1}]})
    table = read(frame, text)
    assert table.row(1) == {"text": None, "label": None, "odd": {"a": 1}}
    assert table.row(0) == {"text": "a", "label": 1.0, "odd": None}


class TestPictures:
    PIXELS = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    SHAPE = Shape("image", "label", media=True)

    def floats(self) -> torch.Tensor:
        """As torchvision's ToTensor makes them."""
        return torch.from_numpy(self.PIXELS).permute(0, 3, 1, 2).float() / 255

    @pytest.mark.parametrize("kind", ["arrays", "tensors", "pairs", "a set of tensors"])
    def test_pixels_beside_labels(self, image: Modality, kind: str) -> None:
        floats = self.floats()
        rows = {
            "arrays": (self.PIXELS, [7, 8]),
            "tensors": (floats, torch.tensor([7, 8])),
            "pairs": [(floats[0], 7), (floats[1], 8)],
            "a set of tensors": TensorDataset(floats, torch.tensor([7, 8])),
        }[kind]
        table = read(rows, image, self.SHAPE)
        for row in range(2):
            assert table.raw(row).dtype == np.uint8
            np.testing.assert_array_equal(table.raw(row), self.PIXELS[row])
        assert table.column("label") == [7, 8]

    def test_of_pillow(self, image: Modality) -> None:
        rows = [{"image": Image.fromarray(each)} for each in self.PIXELS]
        rows[0]["image"].getexif()[0x0112] = 3
        table = read(rows, image, self.SHAPE)
        from io import BytesIO

        found = [Image.open(BytesIO(raw)) for raw in table.raws()]
        np.testing.assert_array_equal(np.asarray(found[1]), self.PIXELS[1])
        assert found[0].getexif()[0x0112] == 3

    def test_equal_pixels_are_equal_rows_and_others_are_not(self, image: Modality) -> None:
        big = np.zeros((3, 80, 80), np.uint8)
        big[2, 40, 40] = 1  # where numpy's own text leaves it out
        digests = [bytes(each) for each in read({"image": big}, image, self.SHAPE).digests]
        assert digests[0] == digests[1] != digests[2]

    def test_of_a_large_set_they_are_mapped(
        self, image: Modality, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("multigraft.data.sources.formats.LARGE", 0)
        monkeypatch.setattr("multigraft.data.sources.formats.CHUNK", 1)
        table = read((self.PIXELS, [7, 8]), image, self.SHAPE)
        np.testing.assert_array_equal(table.raw(1), self.PIXELS[1])

    def test_a_file_that_claims_arrays_is_looked_at(self, tmp_path: Path, image: Modality) -> None:
        from pyarrow import parquet

        field = pa.field("image", pa.binary(), metadata={b"multigraft": b"npy"})
        broken = pa.Table.from_arrays([pa.array([b"\x93NUMPY no"])], schema=pa.schema([field]))
        parquet.write_table(broken, tmp_path / "a.parquet")
        with pytest.raises(DataError, match=r"a\.parquet: is not a sound Parquet file"):
            load_table(str(tmp_path / "a.parquet"), modality=image, columns={})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint8"])
def test_samples_beside_a_rate_are_kept_without_loss(dtype: str) -> None:
    from multigraft_speech.reader import AudioReader

    samples = (np.sin(np.arange(4000)) * 100 + (128 if dtype == "uint8" else 0)).astype(dtype)
    if dtype.startswith("float"):
        samples = samples / np.array(128, samples.dtype)
    sound = Modality(name="audio", reader=dict, columns=("audio",), suffixes=(".wav",))
    rows = [{"audio": {"array": samples, "sampling_rate": 16_000}}, {"audio": (samples, 16_000)}]
    found = list(read(rows, sound, Shape("audio", media=True)).raws())
    wanted = AudioReader().read((samples, 16_000))["input_values"]
    for each in found:
        np.testing.assert_array_equal(AudioReader().read(each)["input_values"], wanted)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "PCM_16"])
def test_the_same_samples_are_the_same_bytes_whenever_they_are_given(subtype: str) -> None:
    """libsndfile writes the time beside the peak of floats, and rows are known by their bytes."""
    samples, content = np.sin(np.arange(400)), io.BytesIO()
    soundfile.write(content, samples, 16_000, format="WAV", subtype=subtype)
    written = content.getvalue()
    peak = written.find(b"PEAK")
    assert (peak < 0) == (subtype == "PCM_16")
    later = written if peak < 0 else written[: peak + 12] + b"last" + written[peak + 16 :]
    kept = values._timeless(later)
    assert kept == values._timeless(written)
    found, wanted = (soundfile.read(io.BytesIO(each))[0] for each in (kept, written))
    np.testing.assert_array_equal(found, wanted)


def test_names_of_files_start_where_python_runs(
    tmp_path: Path, image: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_text("a")
    table = read([{"image": Path("a.png")}], image)
    monkeypatch.chdir("/")
    assert Path(table.raw(0)).read_text() == "a"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (object(), "data: object holds no rows; give a file, a list of mappings"),
        ({"text": "a", "label": "b"}, "column 'text' is str; a column is a list"),
        (
            pd.DataFrame([["a", "b"]], columns=["text", "text"]),
            "two columns have one name: text, t",
        ),
        ({"text": ["a"], "label": []}, "columns differ in their number of rows: 'text' 1, 'la"),
        ([{"text": {1, 2}}], "column 'text', row 1: set cannot be kept"),
        ([("a", "b", "c")], "row 1 is 3 values without names"),
        ((row for row in [*ROWS, {"new": 1}]), "a row behind the first 9 has a column 'new'"),
        ((row for row in [*ROWS, {"text": 5}]), "rows 10 to 10 have int, and those before large"),
        ([{"audio": (np.zeros(9, np.complex64), 9)}], "samples are complex64; allowed: float32"),
        ([{"image": Image.new("F", (2, 2))}], "mode 'F' cannot be kept as PNG; convert it"),
    ],
)
def test_what_is_no_row_is_named(
    text: Modality, rows: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.data.sources.containers.ROWS", 1)
    with pytest.raises(DataError) as error:
        read(rows, text)
    assert said in str(error.value)


def test_pairs_are_for_tasks_with_a_label(text: Modality) -> None:
    with pytest.raises(DataError, match=r"this task learns of no label; .* {'text': values}"):
        read((TEXTS, LABELS), text, Shape("text"))
    for column in (np.array(TEXTS), pd.Series(TEXTS), pa.array(TEXTS)):
        assert read(column, text, Shape("text")).column("text") == TEXTS


class TestRecipes:
    def test_rows_stand_in_the_section_or_for_it(self) -> None:
        for data in (ROWS, COLUMNS, {"train": ROWS}, pd.DataFrame(COLUMNS)):
            raw, rows = without_rows({"task": "t", "data": data})
            assert raw["data"]["train"] == "train.parquet" and list(rows) == ["train"]
        raw, rows = without_rows({"data": {"train": "a.csv", "test": ROWS, "limit": 5}})
        assert raw["data"] == {"train": "a.csv", "test": "test.parquet", "limit": 5}
        assert list(rows) == ["test"]

    def test_splits_of_datasets_by_our_names(self, caplog: pytest.LogCaptureFixture) -> None:
        rows = datasets.Dataset.from_dict(COLUMNS)
        sets = datasets.DatasetDict(train=rows, dev=rows, test=rows, unsupervised=rows)
        raw, found = without_rows({"data": sets})
        assert list(found) == ["train", "validation", "test"]
        assert "'unsupervised' are left out" in caplog.text
        assert raw["data"]["validation"] == "validation.parquet"

    @pytest.mark.parametrize("data", ["a.csv", Path("a.csv"), ["a.csv", "b.csv"], None, 5, []])
    def test_what_names_files_stays(self, data: Any) -> None:
        assert without_rows({"data": data}) == ({"data": data}, {})

    def test_texts_are_no_files(self, finetune: Callable[..., Run]) -> None:
        with pytest.raises(DataError, match=r"a text: does not exist.*given as {'text': \[...\]}"):
            finetune(data=["a text", "another text"])

    def test_a_typo_in_the_section_is_no_column(self) -> None:
        raw, rows = without_rows({"data": {"trian": "a.csv"}})
        assert raw == {"data": {"trian": "a.csv"}} and not rows


class TestRuns:
    @pytest.fixture
    def frame(self, rows: Path) -> pd.DataFrame:
        return pd.read_csv(rows)

    def test_a_run_is_that_of_the_csv(
        self, finetune: Callable[..., Run], tmp_path: Path, frame: pd.DataFrame
    ) -> None:
        plain = finetune(training={"epochs": 1, "batch_size": 16})
        given = finetune(
            data=frame, training={"epochs": 1, "batch_size": 16}, output=str(tmp_path / "given")
        )
        prints = [
            {split: facts["fingerprint"] for split, facts in run.facts["data"].items()}
            for run in (plain, given)
        ]
        assert prints[0] == prints[1]
        weights = [run.graft.state_dict() for run in (plain, given)]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    def test_its_folder_holds_the_rows(
        self, finetune: Callable[..., Run], engine: Engine, frame: pd.DataFrame, tmp_path: Path
    ) -> None:
        run = finetune(data=frame, training={"epochs": 1, "batch_size": 16})
        assert run.recipe.data.train == str(tmp_path / "run" / "data" / "train.parquet")
        opened = engine.open(run.folder)
        assert opened.evaluate().metrics == run.evaluate().metrics
        again = engine.rerun(run.folder)
        assert again.equal

    def test_nothing_is_left_where_the_rows_are_bad(
        self, finetune: Callable[..., Run], tmp_path: Path, frame: pd.DataFrame
    ) -> None:
        frame.loc[3, "series"] = "no numbers"
        with pytest.raises(DataError, match=r"train\.parquet row 4, column 'series'"):
            finetune(data=frame)
        assert not (tmp_path / "run").exists()

    def test_others_are_evaluated_on_too(
        self, finetune: Callable[..., Run], tmp_path: Path, rows: Path, frame: pd.DataFrame
    ) -> None:
        run = finetune(training={"epochs": 1, "batch_size": 16})
        wanted = run.evaluate(rows, name="file").metrics
        columns = {name: frame[name].tolist() for name in frame.columns}
        assert run.evaluate(frame).metrics == wanted
        assert run.evaluate(columns, name="columns").metrics == wanted
        table = run.evaluate({"one": frame, "two": [str(rows)]}).tables["by data"]
        assert [line[0] for line in table[1:]] == ["one", "two"]
        with pytest.raises(DataError, match="5 names no file"):
            run.evaluate(5)

    def test_a_recipe_is_refused_before_rows_are_written(
        self, finetune: Callable[..., Run], tmp_path: Path, frame: pd.DataFrame
    ) -> None:
        with pytest.raises(RecipeError, match="tcn-tiny"):
            finetune(data=frame, backbone="tcn-tny")
        assert not (tmp_path / "run").exists()


def test_files_of_a_recipe_may_be_several(tmp_path: Path) -> None:
    whole = write_rows(tmp_path / "whole.csv", rows=40)
    header, *lines = whole.read_text().splitlines(keepends=True)
    for name, part in (("a", lines[:15]), ("b", lines[15:])):
        (tmp_path / f"{name}.csv").write_text("".join([header, *part]))
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "training": {"epochs": 1},
        "output": str(tmp_path / "run"),
    }
    engine = Engine([multigraft_series], discover=False)
    data = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    run = engine.start({**recipe, "data": data}, "finetune")
    alone = {**recipe, "data": str(whole), "output": str(tmp_path / "alone")}
    prints = [
        [facts["fingerprint"] for facts in each.facts["data"].values()]
        for each in (run, engine.start(alone, "finetune"))
    ]
    assert prints[0] == prints[1]
    assert json.loads((run.folder / "run.json").read_text())["recipe"]["data"]["train"] == data
    (tmp_path / "b.csv").write_text("".join([header, *lines[14:]]))
    with pytest.raises(RunError, match="changed"):
        engine.open(run.folder)
