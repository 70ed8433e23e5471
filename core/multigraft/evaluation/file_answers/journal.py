"""Answers that were made so far, beside the file that they become: what a kill leaves behind."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from multigraft.errors import DataError
from multigraft.system.json_numbers import finite

SYNCED = 1.0
"""Seconds between two requests that the disk keeps what was written."""


class Journal:
    """An append-only file: its first line says of what it is, each further one holds an answer.

    Opened again for the same, it goes on behind the last whole group; for anything else it begins
    anew.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], group: int) -> None:
        """``group`` answers are made together, so that those of a part of one are not kept.

        Raises DataError where another process has it open.
        """
        self.path = path
        head = json.dumps(facts, sort_keys=True).encode() + b"\n"
        self._file: BinaryIO = path.open("a+b")
        _hold(self._file, path)
        self.done, size = _whole_groups(path, head, group)
        """Answers that it held when it was opened."""
        self._file.truncate(size)
        self._file.seek(size)
        if not size:
            self._file.write(head)
        self._start = len(head)
        self._synced = time.monotonic()

    def add(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Keep the answers of one group, whatever becomes of this process; at least once in
        `SYNCED` seconds, whatever becomes of the machine."""
        lines = "".join(f"{_line(answer)}\n" for answer in answers)
        self._file.write(lines.encode("utf-8", "surrogatepass"))
        self._file.flush()
        if time.monotonic() - self._synced > SYNCED:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def answers(self) -> Iterator[dict[str, Any]]:
        """Every answer that was kept, in order."""
        self._file.flush()
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                yield json.loads(line.decode("utf-8", "surrogatepass"))

    def leave(self) -> None:
        """Close the file, which stays where it holds an answer."""
        held = self._file.tell() > self._start
        self._file.close()
        if not held:
            self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the file: its answers are where they belong."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _hold(file: BinaryIO, path: Path) -> None:
    """Keep other processes out, where the system can."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise DataError(
            f"{path}: another process is writing it; wait, or name another file"
        ) from error
    except OSError:  # a disk without locks
        return


def _whole_groups(path: Path, head: bytes, group: int) -> tuple[int, int]:
    """How many answers of whole groups a journal holds, and where they end; zeros for another."""
    if not path.is_file():
        return 0, 0
    with path.open("rb") as file:
        if file.readline() != head:
            return 0, 0
        done, end, place = 0, file.tell(), file.tell()
        for number, line in enumerate(file, 1):
            if not (line.startswith(b"{") and line.endswith(b"}\n")):
                break
            place += len(line)
            if number % group == 0:
                done, end = number, place
    return done, end


def _line(answer: Mapping[str, Any]) -> str:
    """An answer as JSON; arrays are lists, and numbers that are not finite null."""
    try:
        return json.dumps(answer, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        told = json.loads(json.dumps(answer, default=_plain))
        return json.dumps(finite(told), ensure_ascii=False)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
