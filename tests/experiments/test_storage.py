"""Shared storage: states that are there whole or not at all, where nothing can be renamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from multigraft.errors import RunError
from multigraft.experiments import storage as stored
from multigraft.experiments.storage import Storage


class Objects(MemoryFileSystem):  # type: ignore[misc]
    """An object store: what is written is never renamed."""

    protocol = "objects"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    written: ClassVar[list[str]] = []

    def mv(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("objects have no renames")

    rename = move = mv_file = cp_file = copy = mv

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self.written.append(path)
        super().pipe_file(path, value, **options)

    def put_file(self, local: str, path: str, **options: Any) -> None:
        self.written.append(path)
        super().put_file(local, path, **options)


@pytest.fixture(params=["file", "objects"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    fsspec.register_implementation("objects", Objects, clobber=True)
    yield f"file://{tmp_path}/far" if request.param == "file" else "objects://bucket/far"
    Objects.store.clear()
    Objects.pseudo_dirs[:] = [""]
    Objects.written.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "near", {"a.txt": "one", "deep/er/b.bin": "two", "empty": ""})
    return tmp_path / "near"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("small", [2**24, 0])
def test_a_folder_comes_back_as_it_was(
    url: str, folder: Path, tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "SMALL", small)
    Storage(url).push(folder, "cell")
    assert Storage(url).pull("cell", tmp_path / "back")
    assert read(tmp_path / "back") == read(folder)
    assert Storage(url).holds("cell", "deep/er/b.bin")
    assert not Storage(url).holds("cell", "b.bin") and not Storage(url).holds("other", "a.txt")
    assert not Storage(url).pull("other", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_what_is_there_is_not_sent_again_and_what_is_old_goes(
    url: str, folder: Path, tmp_path: Path
) -> None:
    storage = Storage(url)
    for number in range(5):
        write(folder, {"step": f"step {number}"})
        Objects.written.clear()
        storage.push(folder, "cell")
        sent = [path for path in Objects.written if "/files/" in path]
        assert len(sent) == (0 if url.startswith("file") else 4 if number == 0 else 1)
    system, root = fsspec.core.url_to_fs(f"{url}/cell")
    names = [path.rpartition("/")[2] for path in sorted(system.ls(f"{root}/states", detail=False))]
    assert names == ["00000004.json", "00000005.json"]
    assert len(system.ls(f"{root}/files")) == 3 + 2
    assert storage.pull("cell", tmp_path / "back") and read(tmp_path / "back") == read(folder)


def test_a_state_that_was_cut_short_is_passed_over(
    url: str, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Storage(url)
    storage.push(folder, "cell")
    before = read(folder)
    write(folder, {"a.txt": "another"})
    storage.push(folder, "cell")
    system, root = fsspec.core.url_to_fs(f"{url}/cell")
    newest = f"{root}/states/00000002.json"
    text = system.cat_file(newest)
    back = tmp_path / "back"
    outside, other = text.replace(b"a.txt", b"../out"), text.replace(b'-7"', b'-8"')
    for faulty in (text[:20], b"[]", outside, other):
        system.pipe_file(newest, faulty)
        assert storage.pull("cell", back) and read(back) == before
        assert "taking the one before" in caplog.text
        caplog.clear()
    system.pipe_file(newest, text)
    (file,) = (path for path in system.ls(f"{root}/files", detail=False) if path.endswith("-7"))
    system.pipe_file(file, b"anothe")  # the node was lost while it was sent
    assert storage.pull("cell", back) and read(back) == before
    storage.push(folder, "cell")
    assert storage.pull("cell", back) and read(back) == read(folder), "it was sent again"
    for path in system.ls(f"{root}/files", detail=False):
        system.pipe_file(path, b"?")
    assert not storage.pull("cell", tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_opened_or_written_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nowhere://x: this storage cannot be opened"):
        Storage("nowhere://x")
    (tmp_path / "plain").write_text("a file where folders should be")
    with pytest.raises(RunError, match="cannot be written"):
        Storage(f"file://{tmp_path}/plain").push(folder, "cell")
