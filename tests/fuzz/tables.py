"""Rows: files of every format broken, folders, column maps, and the audit that reads them all."""

from __future__ import annotations

import csv
import functools
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from fuzz.breaking import TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from fuzz.texts import reader
from multigraft.contracts.objectives import Objective
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Rows, load_splits
from multigraft.errors import RowError
from multigraft.recipe import Data

ROWS = [
    {"text": f"a fine film {number}", "label": "no yes".split()[number % 2], "stars": number}
    for number in range(8)
]
TEXT = Modality(name="text", reader=lambda spec: reader(), columns=("text", "text_pair"))
FILES = Modality(name="files", reader=lambda spec: reader(), columns=("file",), suffixes=(".txt",))


class Labelled(Objective):
    """A label as the length of its text."""

    monitor = "loss"
    greater_is_better = False

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        if not isinstance(row.get("label"), str):
            raise RowError("the label is missing")
        return {"label": np.asarray(len(row["label"]))}


@functools.cache
def sound(kind: str) -> bytes:
    """The same rows as a file of each kind."""
    if kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
        return text.getvalue().encode()
    if kind == "json":
        return json.dumps(ROWS).encode()
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(ROWS), buffer)
    return buffer.getvalue()


ENDINGS = ("csv", "json", "jsonl", "parquet")
ENCODINGS = st.sampled_from(["utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7"])
ODD = st.sampled_from(
    [
        *(
            b"text,label\n",
            b"text\n",
            b",\n,\n",
            b"text,text\na,b\n",
            b'text,label\n"a',
            b'"text","label"\na,"b"c\n',
        ),
        *(
            b"text,label\r\ra,b\r",
            b"text;label\na;b\n",
            b"text\tlabel\n",
            b"\xff\xfe",
            b"\0\0\0\0",
            b"text,label\na\0b,c\n",
        ),
        *(
            b"text,label\n" + b"x" * 3_000_000 + b",no\n",
            b"text,label\n" + b"," * 100_000,
            b"," * 100_000 + b"\na\n",
        ),
        *(
            b"[" * 100_000,
            b'{"text": ' * 5_000,
            b'{"text": "a", "label": ' + b"9" * 5_000 + b"}\n",
            b'{"text": NaN}\n',
        ),
        *(
            b'{"text": 1e999, "label": "a"}\n',
            b'{"text": "\\ud800", "label": "\\udfff"}\n',
            b'{"\\ud800": 1}\n',
            b"[]",
            b"{}",
        ),
        *(
            b"[1]",
            b"null",
            b'{"text": "a"}{"text": "b"}',
            b'{"text": {"bytes": null, "path": null}, "label": "a"}\n',
        ),
        *(
            b'{"text": "a", "label": 1}\n{"text": 2, "label": "a"}\n',
            b'{"text": "a", "text": "b", "label": "c"}\n',
        ),
        *(
            b'{"text": 99999999999999999999999, "label": "x"}\n',
            b"PAR1",
            b"PAR1" * 9,
            b"text,label\n\n\n\n",
            b'{"": ""}\n',
        ),
    ]
)
CONTENT = st.sampled_from(ENDINGS).flatmap(
    lambda kind: st.tuples(
        st.sampled_from([kind, kind, kind, kind, *ENDINGS, "txt", ""]),
        st.one_of(
            *[broken_bytes(st.just(sound(kind)))] * 4,
            ODD,
            ENCODINGS.map(lambda name: sound(kind).decode("latin-1").encode(name)),
            broken_values(ROWS).map(lambda rows: json.dumps(rows).encode()),
        ),
    )
)
NAMES = st.one_of(st.sampled_from(["text", "label", "stars", "file_name", "text_pair", ""]), TEXTS)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.dictionaries(NAMES, NAMES, max_size=3),
        "format": st.sampled_from(["auto", "csv", "json", "parquet", "folder"]),
        "limit": st.integers(1, 9),
        "allowed_bad": st.sampled_from([0.0, 0.5, 0.99]),
        "split": st.fixed_dictionaries(
            {}, optional={"group": NAMES, "test": st.floats(0, 0.99), "stratify": st.booleans()}
        ),
    },
)
PATHS = st.one_of(
    TEXTS.filter(lambda name: "/" not in name or name.startswith("..")),
    st.sampled_from(
        [
            "/dev/zero",
            "/dev/null",
            "/proc/self/mem",
            "missing.csv",
            "classes",
            "classes/a",
            ".",
            "/dev/stdin",
        ]
    ),
)
INPUTS = st.one_of(
    *[st.tuples(st.just("file"), CONTENT, SETTINGS)] * 4,
    st.tuples(st.just("path"), PATHS, SETTINGS),
    st.tuples(st.just("metadata"), st.lists(TEXTS, min_size=1, max_size=4), SETTINGS),
    st.tuples(
        st.just("table"),
        st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1),
        st.just({}),
    ),
)


def prepare(folder: Path) -> None:
    """Folders of classes: a plain one, and one with links to a device and to itself."""
    reader()
    for name in ("a", "b"):
        (folder / "classes" / name).mkdir(parents=True)
        (folder / "classes" / name / "1.txt").write_text("a film")
    for number in range(8):
        file = folder / "plain" / "ab"[number % 2] / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"film {number}")
    (folder / "classes" / "b" / "zero.txt").symlink_to("/dev/zero")
    (folder / "classes" / "b" / "loop").symlink_to(folder / "classes")


def feed(folder: Path, given: tuple[str, Any, dict[str, Any]]) -> None:
    """Every row that was accepted can be read again; a table of plain texts comes back as it was
    written."""
    way, what, settings = given
    modality = TEXT
    if way == "file":
        path = folder / f"rows.{what[0]}"
        path.write_bytes(what[1])
    elif way == "table":
        path = _written(folder, what)
    elif way == "metadata":
        modality, path = FILES, folder / "listed"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        listed = "".join(json.dumps({"file_name": name, "label": "x"}) + "\n" for name in what)
        (path / "metadata.jsonl").write_text(listed)
    else:
        modality, path = FILES, Path(what)
    data = Data(**{"train": str(path), "on_bad_row": "skip", "allowed_bad": 0.99, **settings})
    splits = load_splits(
        data, modality=modality, task_columns=("label",), stratify_by="label", seed=0, base=folder
    )
    rows = Rows.audit(splits.train, reader(), Labelled(), allowed_bad=data.bad_share, name="train")
    for index in range(len(rows)):
        if set(rows[index]) < {"input_ids", "label"}:
            raise WrongAnswer(f"row {index} has only {sorted(rows[index])}")
    if way == "table":
        _compare(what, splits)


def _written(folder: Path, cells: list[tuple[str, str]]) -> Path:
    path = folder / "table.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in cells)
    )
    return path


def _compare(cells: list[tuple[str, str]], splits: Any) -> None:
    found = [
        pair
        for split in (splits.train, splits.validation, splits.test)
        for pair in zip(split.column("text"), split.column("label"), strict=True)
    ]
    if sorted(found, key=repr) != sorted(cells, key=repr):
        raise WrongAnswer(f"{len(found)} rows came of {len(cells)}, or others")


def sound_inputs() -> list[tuple[str, Any, dict[str, Any]]]:
    """The same rows in every format."""
    files = [("file", (kind, sound(kind)), {"allowed_bad": 0.0}) for kind in ENDINGS]
    return [
        *files,
        ("table", [(f"a film {number}", "xy"[number % 2]) for number in range(8)], {}),
        ("path", "plain", {}),
    ]


BORDER = Border("rows", INPUTS, feed, sound_inputs, prepare)
