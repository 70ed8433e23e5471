from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from multigraft.data.cache import hashes
from multigraft.data.cache.hashes import FileHashes
from multigraft.system import cache


def digest(path: Path) -> str:
    with FileHashes() as known:
        return known.digest(str(path))


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may be remembered as soon as they are written."""
    monkeypatch.setattr(hashes, "SETTLED", -(10**18))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each file that is read."""
    calls: list[int] = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: calls.append(1) or real(*args))
    return calls


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_read_once(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    assert digest(path) == digest(path) == sha(b"one")
    assert len(counted) == 1


@pytest.mark.usefixtures("settled")
def test_a_changed_file_is_read_again(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    facts = path.stat()
    digest(path)
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert digest(path) == sha(b"two")
    (tmp_path / "b.png").write_bytes(b"new")
    (tmp_path / "b.png").replace(path)
    assert digest(path) == sha(b"new")


def test_a_file_just_written_is_not_trusted(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    assert digest(path) == digest(path)
    assert len(counted) == 2


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", ["no.png", "\0.png", "folder"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert digest(tmp_path / name) == f"unreadable: {name}"


@pytest.mark.usefixtures("settled")
def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"one")
    assert digest(path) == digest(path) == sha(b"one")


@pytest.mark.usefixtures("settled")
def test_a_broken_memory_is_started_anew(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    memory = cache.cache_folder() / hashes.KIND / hashes.KEY / hashes.FILE
    memory.parent.mkdir(parents=True)
    memory.write_bytes(b"no database" * 1000)
    assert [digest(path) for _ in range(3)] == [sha(b"one")] * 3
    assert len(counted) == 2


@pytest.mark.usefixtures("settled")
def test_two_processes_may_remember_at_once(tmp_path: Path, counted: list[int]) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(path.name.encode())
    with FileHashes() as one, FileHashes() as two:
        assert one.digest(str(paths[0])) == sha(b"a.png")
        assert two.digest(str(paths[1])) == sha(b"b.png")
    before = len(counted)
    assert [digest(path) for path in paths] == [sha(b"a.png"), sha(b"b.png")]
    assert len(counted) == before


@pytest.mark.usefixtures("settled", "no_cache")
def test_no_cache_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    assert digest(path) == digest(path) == sha(b"one")
    assert not list(cache.cache_folder().rglob("*"))
