from __future__ import annotations

import os
import pickle
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.data.sources import arrow_cache, formats
from multigraft.errors import DataError
from multigraft.system import cache

Usage = namedtuple("Usage", "total used free")
Load = Callable[[], Table]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten rows of JSON lines that count as a large file."""
    monkeypatch.setattr(formats, "LARGE", 0)
    monkeypatch.setattr(formats, "CHUNK", 3)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "t{row}", "label": {row}}}\n' for row in range(10)))
    return path


@pytest.fixture
def load(corpus: Path, text: Modality) -> Load:
    return lambda: load_table(str(corpus), modality=text, columns={})


def test_a_file_is_parsed_once(load: Load, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load()
    monkeypatch.setattr(formats, "read_objects", lambda *args: pytest.fail("parsed again"))
    again = load()
    assert again.column("text") == first.column("text") == [f"t{row}" for row in range(10)]
    assert again.fingerprint == first.fingerprint
    assert len(cache.entries("tables")) == 1


def test_a_changed_file_is_parsed_again(load: Load, corpus: Path) -> None:
    before = load()
    facts = corpus.stat()
    corpus.write_text(corpus.read_text().replace("t3", "u3"))
    os.utime(corpus, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert load().raw(3) == "u3"
    assert before.raw(3) == "t3"
    assert load().fingerprint != before.fingerprint


def test_digests_are_remembered(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load().digests
    monkeypatch.setattr(
        "multigraft.data.cache.content._digest", lambda *args: pytest.fail("made again")
    )
    assert (load().digests == first).all()


def test_a_file_that_changes_meanwhile_is_refused(
    load: Load, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = arrow_cache._write

    def slow(*args: object) -> None:
        write(*args)  # type: ignore[arg-type]
        with corpus.open("a") as file:
            file.write('{"text": "late"}\n')

    monkeypatch.setattr(arrow_cache, "_write", slow)
    with pytest.raises(DataError, match=r"a\.jsonl: changed while it was read"):
        load()
    assert cache.entries("tables") == []


@pytest.mark.parametrize("name", [arrow_cache.DATA, arrow_cache.INDEX])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_entry_is_made_again(load: Load, name: str, damage: str) -> None:
    load()
    (entry,) = cache.entries("tables")
    content = (entry / name).read_bytes()
    (entry / name).unlink()
    if damage == "cut":
        (entry / name).write_bytes(content[: len(content) // 2])
    assert load().column("label") == list(range(10))
    assert len(cache.entries("tables")) == 1


def test_an_evicted_entry_can_still_be_read(load: Load) -> None:
    table = load()
    shutil.rmtree(cache.cache_folder())
    assert table.column("text") == [f"t{row}" for row in range(10)]
    assert load().raw(9) == "t9"


def test_without_room_all_is_in_memory(
    load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 0))
    assert load().column("label") == list(range(10))
    assert cache.entries("tables") == []
    assert caplog.messages == [
        "a.jsonl: the cache has no room for its rows; they are read into memory"
    ]


def test_a_disk_that_fills_up_is_told(
    load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrow_cache, "record_batch", full)
    assert load().column("label") == list(range(10))
    assert "No space left" in caplog.text
    assert not list(cache.cache_folder().rglob("*.arrow"))


def test_a_mapped_table_pickles_by_its_place(load: Load) -> None:
    table = load()
    frozen = pickle.dumps(table)
    assert len(frozen) < 3000
    again = pickle.loads(frozen)
    assert [again.row(row) for row in range(10)] == [table.row(row) for row in range(10)]


def test_selections_read_only_their_rows(load: Load) -> None:
    some = load().select(np.array([7, 2, 2]))
    assert some.column("text") == ["t7", "t2", "t2"]
    assert [some.place(row) for row in range(3)] == [
        "a.jsonl row 8",
        "a.jsonl row 3",
        "a.jsonl row 3",
    ]
