from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from multigraft.system import cache

Usage = namedtuple("Usage", "total used free")


def write(key: str, size: int = 1000, age: float = 0.0, kind: str = "rows") -> Path:
    with cache.new_entry(kind, key) as folder:
        (folder / "data.bin").write_bytes(bytes(size))
    path = cache.cache_folder() / kind / key
    os.utime(path, (time.time() - age,) * 2)
    return path


def temporary(pid: int, node: str = platform.node(), age: float = 0.0) -> Path:
    path = cache.cache_folder() / "rows" / f".key.{node}.{pid}.0.new"
    path.mkdir(parents=True)
    os.utime(path, (time.time() - age,) * 2)
    return path


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_folder_is_asked_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / "mine"))
    assert cache.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MULTIGRAFT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "multigraft"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == Path.home() / ".cache" / "multigraft"


@pytest.mark.parametrize(
    ("asked", "limit"), [("0.5", 5 * 10**8), ("", 2 * 10**10), ("0", 0), ("-3", 0)]
)
def test_the_limit_is_in_gigabytes(monkeypatch: pytest.MonkeyPatch, asked: str, limit: int) -> None:
    monkeypatch.setenv("MULTIGRAFT_CACHE_GB", asked)
    assert cache.cache_limit() == limit


@pytest.mark.parametrize("asked", ["many", "inf", "nan"])
def test_a_limit_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: str
) -> None:
    monkeypatch.setenv("MULTIGRAFT_CACHE_GB", asked)
    assert cache.cache_limit() == 2 * 10**10
    assert "is no number of gigabytes" in caplog.text


def test_an_entry_is_complete_or_absent() -> None:
    assert cache.find_entry("rows", "a") is None
    with pytest.raises(KeyError), cache.new_entry("rows", "a") as folder:
        (folder / "data.bin").write_bytes(b"half")
        raise KeyError
    assert cache.find_entry("rows", "a") is None
    assert not list(cache.cache_folder().rglob("*.bin"))
    path = write("a")
    assert cache.find_entry("rows", "a") == path
    assert [each.name for each in path.parent.iterdir()] == ["a"]


def test_the_first_of_two_writers_stays() -> None:
    with cache.new_entry("rows", "a") as mine:
        (mine / "data.bin").write_bytes(b"mine")
        other = write("a", size=3)
    assert (other / "data.bin").stat().st_size == 3
    assert len(list(other.parent.iterdir())) == 1


def test_entries_are_listed_by_the_beginning_of_their_key() -> None:
    assert cache.entries("rows") == []
    paths = [write(key) for key in ("a-1", "a-2", "b-1")]
    temporary(os.getpid())
    assert cache.entries("rows", "a-") == paths[:2]
    assert cache.entries("rows") == paths


def test_what_was_used_longest_ago_goes_first() -> None:
    old, middle, young = write("a", age=30), write("b", age=20, kind="replay"), write("c", age=10)
    cache.find_entry("rows", "a")
    assert cache.trim(cache.cache_folder(), 2000) == 2000
    assert [path.exists() for path in (old, middle, young)] == [True, False, True]
    assert cache.trim(cache.cache_folder(), 0, keep=[young]) == 1000
    assert [path.exists() for path in (old, middle, young)] == [False, False, True]


def test_temporaries_of_dead_processes_are_swept() -> None:
    mine, dead = temporary(os.getpid()), temporary(dead_process())
    elsewhere, forgotten = temporary(1, "elsewhere"), temporary(2, "elsewhere", age=2 * cache.DAY)
    cache.trim(cache.cache_folder(), 10**9)
    assert [path.exists() for path in (mine, dead, elsewhere, forgotten)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_killed_writer_leaves_no_entry() -> None:
    code = (
        "import os, signal; from multigraft.system import cache\n"
        "with cache.new_entry('rows', 'a') as folder:\n"
        "    (folder / 'data.bin').write_bytes(bytes(10))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    assert cache.find_entry("rows", "a") is None
    assert list(cache.cache_folder().rglob("data.bin"))
    cache.trim(cache.cache_folder(), 10**9)
    assert not list(cache.cache_folder().rglob("data.bin"))


class TestRoom:
    def test_others_are_evicted_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0.000003")
        old, young = write("a", age=10), write("b")
        assert cache.room_for(1000)
        assert old.exists()
        assert cache.room_for(1500)
        assert [path.exists() for path in (old, young)] == [False, True]
        assert not cache.room_for(2500, keep=[young])
        assert young.exists()
        assert not cache.room_for(3001)

    def test_the_disk_keeps_its_reserve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        old = write("a", size=600)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10_000, 8_500, 1_500))
        assert cache.room_for(500)
        assert old.exists()
        assert not cache.room_for(1200)
        assert old.exists(), "nothing is thrown out where that would not do"
        assert cache.room_for(1100)
        assert not old.exists()

    def test_no_limit_is_no_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0")
        assert not cache.room_for(1)

    def test_a_folder_that_cannot_be_written_has_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / "file" / "cache"))
        assert not cache.room_for(1)
        assert cache.entries("rows") == []
        with pytest.raises(OSError), cache.new_entry("rows", "a"):
            pass
