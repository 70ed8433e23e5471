"""Shared storage by URL: the newest states of a folder, as files of an fsspec filesystem.

A state is a list of files, written last; files are called by their content and never change. So a
state is there whole or not at all, also where nothing can be renamed, as in object stores.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from multigraft.errors import RunError, refused_as
from multigraft.system.files import is_plain_name, whole_folder

log = logging.getLogger("multigraft")
STATES, FILES = "states", "files"
KEPT = 2
"""The newest states that stay: where one is damaged, the one before it is taken."""
SMALL = 2**24
"""Bytes of a file that is read at once: it may grow while it is sent."""
Content = Mapping[str, str]
"""A state: the path of each file in the folder -> what it is called in storage."""


@dataclass(frozen=True)
class StoredPlace:
    """Where a folder is stored, as plain data."""

    url: str
    name: str


class _Damaged(Exception):
    """A state of which something is missing, or other than it was."""


class Storage:
    """Folders at a URL that fsspec opens, each by a name."""

    def __init__(self, url: str) -> None:
        """Raises RunError where fsspec, or what it needs for such a URL, is not installed."""
        self._url = url
        self._sent: dict[Path, tuple[tuple[int, int], str]] = {}
        try:
            from fsspec.core import url_to_fs
        except ModuleNotFoundError as error:
            raise RunError(f"{url}: storage needs fsspec: pip install fsspec") from error
        with refused_as(RunError, f"{url}: this storage cannot be opened"):
            self._system, root = url_to_fs(url)
            self._root = root.rstrip("/")

    def push(self, folder: Path, name: str) -> None:
        """Store the files of a folder as its newest state; what is there already is not sent again.

        Raises RunError where the storage does not take it.
        """
        with refused_as(RunError, f"{self._url}: cannot be written"):
            there, states = self._listed(name, FILES), self._listed(name, STATES)
            content = {
                path.relative_to(folder).as_posix(): self._send(path, name, there)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            number = 1 + max((int(each.partition(".")[0]) for each in states), default=0)
            self._write(name, STATES, f"{number:08d}.json", json.dumps(content).encode())
            self._prune(name)

    def pull(self, name: str, folder: Path) -> bool:
        """Make ``folder`` the newest state that is whole; False where there is none.

        Raises RunError where the storage cannot be read.
        """
        with refused_as(RunError, f"{self._url}: cannot be read"):
            for state, content in self._states(name):
                try:
                    with whole_folder(folder) as beside:
                        for path, called in content.items():
                            self._fetch(name, called, _inside(beside, path))
                except _Damaged as error:
                    self._passed_over(name, state, str(error))
                else:
                    return True
        return False

    def holds(self, name: str, path: str) -> bool:
        """Whether the newest state has a file of this path. Raises RunError as `pull`."""
        with refused_as(RunError, f"{self._url}: cannot be read"):
            newest = next(self._states(name), None)
            return newest is not None and path in newest[1]

    def _send(self, path: Path, name: str, there: Mapping[str, int]) -> str:
        """Store one file unless it is there, and give what it is called."""
        facts = path.stat()
        if facts.st_size <= SMALL:
            data = path.read_bytes()
            called = _called(hashlib.blake2b(data, digest_size=16), len(data))
            if there.get(called) != len(data):
                self._write(name, FILES, called, data)
            return called
        seen = (facts.st_size, facts.st_mtime_ns)
        if self._sent.get(path, (None, ""))[0] != seen:
            self._sent[path] = (seen, _called(_digest(path), facts.st_size))
        called = self._sent[path][1]
        if there.get(called) != facts.st_size:
            self._system.makedirs(self._at(name, FILES), exist_ok=True)
            self._system.put_file(str(path), self._at(name, FILES, called))
        return called

    def _fetch(self, name: str, called: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._system.get_file(self._at(name, FILES, called), str(path))
        except FileNotFoundError as error:
            raise _Damaged(f"{path.name} is missing") from error
        if _called(_digest(path), path.stat().st_size) != called:
            raise _Damaged(f"{path.name} is not as it was stored")

    def _states(self, name: str) -> Iterator[tuple[str, Content]]:
        """The states that can be read, the newest first."""
        for state in sorted(self._listed(name, STATES), reverse=True):
            try:
                content = json.loads(self._system.cat_file(self._at(name, STATES, state)))
            except (ValueError, FileNotFoundError):
                content = None  # cut short, or removed for a newer one
            if isinstance(content, dict) and all(isinstance(one, str) for one in content.values()):
                yield state, content
            else:
                self._passed_over(name, state, "is no state")

    def _passed_over(self, name: str, state: str, why: str) -> None:
        log.warning("%s/%s/%s: %s; taking the one before", self._url, name, state, why)

    def _prune(self, name: str) -> None:
        """Remove older states, and files that none of the newest has."""
        for state in sorted(self._listed(name, STATES), reverse=True)[KEPT:]:
            self._system.rm_file(self._at(name, STATES, state))
        used = {called for _, content in self._states(name) for called in content.values()}
        for called in self._listed(name, FILES).keys() - used:
            self._system.rm_file(self._at(name, FILES, called))

    def _write(self, name: str, kind: str, called: str, data: bytes) -> None:
        self._system.makedirs(self._at(name, kind), exist_ok=True)
        self._system.pipe_file(self._at(name, kind, called), data)

    def _listed(self, name: str, kind: str) -> dict[str, int]:
        """What is stored, with its bytes, as it is now."""
        self._system.invalidate_cache()
        try:
            found: list[dict[str, Any]] = self._system.ls(self._at(name, kind), detail=True)
        except FileNotFoundError:
            return {}
        files = [each for each in found if each["type"] == "file"]
        return {PurePosixPath(each["name"]).name: int(each["size"] or 0) for each in files}

    def _at(self, *parts: str) -> str:
        return "/".join([self._root, *parts])


def _inside(folder: Path, path: str) -> Path:
    """A path below a folder, and nowhere else."""
    parts = path.split("/")
    if not all(map(is_plain_name, parts)):
        raise _Damaged(f"{path!r} leads out of its folder")
    return folder.joinpath(*parts)


def _digest(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))


def _called(digest: Any, size: int) -> str:
    return f"{digest.hexdigest()}-{size}"
