"""metrics.jsonl: one line for each logged step and each validation, the same bytes after an interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multigraft.files import write_text


class Journal:
    """Writes the lines of a training; a process that does not lead keeps its own to itself."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        self.path = path
        self.writes = writes

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def sync(self) -> None:
        """Ask the disk to keep the lines so far, before a checkpoint says that they are written."""
        if self.writes and self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def keep(self, step: int, epoch: int) -> None:
        """Drop the lines after ``step``, and those of ends of epochs after ``epoch``: they are written again.

        A training that was stopped before a validation goes on from the step whose line is then to come.
        """
        if not (self.writes and self.path.exists()):
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(self.path, "".join(line for line in lines if _until(line, step, epoch)))


def _until(line: str, step: int, epoch: int) -> bool:
    """Whether a line is whole, not after ``step``, and of no later end of an epoch than ``epoch``."""
    try:
        said = json.loads(line)
        return line.endswith("\n") and said["step"] <= step and said.get("epoch", 0) <= epoch
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
