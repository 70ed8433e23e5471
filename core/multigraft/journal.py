"""metrics.jsonl: one line for each logged step and each validation, the same bytes after an interruption."""

from __future__ import annotations

import json
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

    def keep(self, step: int) -> None:
        """Drop the lines after ``step``, which a training that goes on from there writes again."""
        if not (self.writes and self.path.exists()):
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(self.path, "".join(line for line in lines if _until(line, step)))


def _until(line: str, step: int) -> bool:
    """Whether a line is whole and not after ``step``."""
    try:
        return line.endswith("\n") and json.loads(line)["step"] <= step
    except (ValueError, TypeError, KeyError):
        return False
