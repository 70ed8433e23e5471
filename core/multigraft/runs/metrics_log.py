"""metrics.jsonl: a line for each logged step and validation, the same after an interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

from multigraft.errors import RunError, refused_as
from multigraft.system.files import write_text


class MetricsLog:
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

    def state(self) -> tuple[int, str]:
        """Size of the lines in bytes, and their hash."""
        content = self.path.read_bytes() if self.writes and self.path.exists() else b""
        return len(content), xxhash.xxh3_128_hexdigest(content)

    def missing(self, size: int, digest: str) -> str | None:
        """Say how the lines differ from those that a checkpoint counted on; None: they do not.

        ``digest`` is empty in checkpoints that do not count on any.
        """
        if not (self.writes and digest) or self.state() == (size, digest):
            return None
        return (
            f"{self.path.name} is not what it was at the last checkpoint ({size:,} bytes): it was "
            "removed, torn or changed, so its curves have gaps; the model does not follow from it"
        )

    def keep(self, step: int, epoch: int) -> None:
        """Drop the lines after ``step`` and ends of epochs after ``epoch``, to be written again.

        A training that was stopped before a validation goes on from the step whose line is then to
        come.
        """
        if not (self.writes and self.path.exists()):
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(self.path, "".join(line for line in lines if _until(line, step, epoch)))


def _until(line: str, step: int, epoch: int) -> bool:
    """Whether a line is whole, not after ``step``, and of no later end of an epoch than ``epoch``.

    What is behind all steps, a layer that was solved for, is always told again.
    """
    try:
        said = json.loads(line)
        if "solved" in said:
            return False
        return line.endswith("\n") and said["step"] <= step and said.get("epoch", 0) <= epoch
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def read_curves(path: Path) -> dict[str, tuple[tuple[float, float], ...]]:
    """The lines of metrics.jsonl as curves: ``loss``, ``learning_rate``, ``validation ...``."""
    curves: dict[str, list[tuple[float, float]]] = {}
    with refused_as(RunError, f"{path}: cannot be read"):
        for entry in read_lines(path):
            values = {
                f"validation {name}": value for name, value in entry.get("validation", {}).items()
            }
            values |= {name: entry[name] for name in ("loss", "learning_rate") if name in entry}
            for name, value in values.items():
                curves.setdefault(name, []).append((float(entry["step"]), float(value)))
    return {name: tuple(points) for name, points in curves.items()}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]
