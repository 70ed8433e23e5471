from __future__ import annotations

import pickle
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Rows, load_table
from multigraft.data.cache import decoded_store
from multigraft.data.cache.row_file import StoreWriter
from multigraft.errors import DataError
from multigraft.system import cache

Usage = namedtuple("Usage", "total used free")
Audit = Callable[..., Rows]


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reader counts as slow, which is known after ten rows."""
    monkeypatch.setattr("multigraft.data.cache.decoded_rows.SLOW", 0.0)
    monkeypatch.setattr("multigraft.data.cache.decoded_rows.WORTH", 0.0)
    monkeypatch.setattr("multigraft.data.cache.decoded_rows.TRIAL", 10)


@pytest.fixture
def audit(letters: Path, text: Modality, reader: Any, objective: Objective) -> Audit:
    def start(rows: Any = slice(None), **changed: Any) -> Rows:
        table = load_table(str(letters), modality=text, columns={})
        chosen = table.select(np.arange(len(table))[rows])
        asked = {
            "reader": reader,
            "objective": objective,
            "allowed_bad": 0.0,
            "name": "train",
            **changed,
        }
        return Rows.audit(chosen, **asked)

    return start


def codes(rows: Rows) -> list[str]:
    return ["".join(map(chr, rows[index]["codes"])) for index in range(len(rows))]


def words(rows: Rows) -> list[str]:
    return [rows.raw(index) for index in range(len(rows))]


def test_slow_rows_are_decoded_once(audit: Audit, reader: Any) -> None:
    rows = audit()
    assert codes(rows) == words(rows)
    assert reader.reads == 40
    again = audit()
    assert codes(again) == words(rows)
    assert reader.reads == 40
    assert not again[0]["codes"].flags.owndata


def test_another_order_split_or_file_finds_them(
    audit: Audit, reader: Any, letters: Path, text: Modality, objective: Objective
) -> None:
    audit()
    assert codes(audit([30, 2, 17])) == words(audit([30, 2, 17]))
    lines = letters.read_text().splitlines()
    letters.write_text("\n".join([lines[0], "newword,1", *reversed(lines[1:])]))
    assert codes(audit()) == words(audit())
    assert reader.reads == 42, "only the new row, twice: it alone is too little for the cache"


def test_labels_are_not_in_the_cache(
    audit: Audit, objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert int(audit()[1]["label"]) == 1
    monkeypatch.setattr(objective, "encode", lambda row, arrays: {"label": np.asarray(5)})
    assert int(audit()[1]["label"]) == 5


def test_another_reader_reads_for_itself(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit()
    monkeypatch.setattr(type(reader), "spec", lambda self: {"other": 1})
    audit()
    assert reader.reads == 80


def test_bad_rows_are_found_though_others_are_cached(audit: Audit, letters: Path) -> None:
    audit()
    with letters.open("a") as file:
        file.write("b4d,1\nfine,\n")
    with pytest.raises(DataError) as error:
        audit()
    assert "letters.csv row 41, column 'text': 'b4d' holds a digit" in str(error.value)
    assert "letters.csv row 42: the label is missing" in str(error.value)
    with pytest.raises(DataError, match="row 41"):
        audit()


def test_quick_rows_stay_in_memory(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.data.cache.decoded_rows.SLOW", 60.0)
    rows = audit()
    assert codes(rows) == words(rows)
    assert cache.entries("rows") == []
    beyond = audit(memory=2000)
    assert codes(beyond) == words(rows)
    assert reader.reads == 80
    assert len(cache.entries("rows")) == 1


def test_parts_are_closed_on_the_way(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded_store, "CHUNK", 1000)
    assert codes(audit()) == words(audit())
    assert len(cache.entries("rows")) > 3
    assert reader.reads == 40


def test_a_cache_without_room_is_told_once(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 0))
    rows = audit(memory=1000)
    before = reader.reads
    assert codes(rows) == words(rows)
    assert before + reader.reads > 40
    assert len(caplog.messages) == 1
    assert "train: decoded rows are not all kept, the cache has no room" in caplog.text


def test_a_disk_that_fills_up_costs_only_the_cache(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add = StoreWriter.add

    def full(self: StoreWriter, row: Arrays) -> int:
        if len(self) == 20:
            raise OSError(28, "No space left on device")
        return add(self, row)

    monkeypatch.setattr(StoreWriter, "add", full)
    rows = audit()
    assert codes(rows) == words(rows)
    assert cache.entries("rows") == []
    assert "No space left" in caplog.text
    assert not list(cache.cache_folder().rglob("rows.bin"))


def test_arrays_that_cannot_be_stored_are_kept_in_memory(
    audit: Audit, reader: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(type(reader), "read", lambda self, raw: {"codes": np.array([*raw], object)})
    assert audit()[3]["codes"].tolist() == [*audit().raw(3)]


def test_a_cache_that_vanishes_is_made_again(audit: Audit, reader: Any) -> None:
    rows = audit()
    shutil.rmtree(cache.cache_folder())
    assert codes(rows) == words(rows)
    assert codes(audit()) == words(rows)
    assert reader.reads == 80


@pytest.mark.parametrize("damage", ["rows.bin", "index.npy", "digests.npy", "forms.json"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_damaged_part_is_never_used(audit: Audit, reader: Any, damage: str, share: float) -> None:
    audit()
    (entry,) = cache.entries("rows")
    content = (entry / damage).read_bytes()
    (entry / damage).write_bytes(content[: int(len(content) * share)])
    assert codes(audit()) == words(audit())
    assert reader.reads == 80
    assert not entry.exists()


def test_a_cache_that_cannot_be_written_is_no_error(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / "file"))
    rows = audit(memory=1000)
    assert codes(rows) == words(rows)


def test_an_error_leaves_nothing_behind(
    audit: Audit, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = type(reader).read

    def broken(self: Any, raw: Any) -> Arrays:
        if self.reads == 30:
            raise KeyboardInterrupt
        return read(self, raw)  # type: ignore[no-any-return]

    monkeypatch.setattr(type(reader), "read", broken)
    with pytest.raises(KeyboardInterrupt):
        audit()
    assert not list(cache.cache_folder().rglob("rows.bin"))


def test_rows_in_the_store_can_be_pickled(audit: Audit) -> None:
    rows = audit()
    assert codes(pickle.loads(pickle.dumps(rows))) == words(rows)


KILLED = """
import os, signal
from pathlib import Path
import numpy as np
from multigraft.data.cache.decoded_store import DecodedStore, DecodedStoreWriter
with DecodedStoreWriter(DecodedStore("key"), "train") as writer:
    for number in range(100):
        writer.add(number.to_bytes(16), {"x": np.arange(100)}, 10**6)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_half_written_chunk_is_never_used() -> None:
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == -signal.SIGKILL
    assert list(cache.cache_folder().rglob("rows.bin"))
    assert not decoded_store.DecodedStore("key")
    cache.trim(cache.cache_folder(), 10**9)
    assert not list(cache.cache_folder().rglob("rows.bin"))


def test_a_reader_without_code_is_not_cached(reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decoded_store.reader_key(reader) == decoded_store.reader_key(reader) is not None
    monkeypatch.setattr(type(reader), "__module__", "nowhere")
    assert decoded_store.reader_key(reader) is None
