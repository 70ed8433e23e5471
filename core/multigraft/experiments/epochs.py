"""Epochs of a cell: the validations that its log of metrics holds, also while it is trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from multigraft.errors import RunError, refused_as
from multigraft.system.files import check_plain

log = logging.getLogger("multigraft")
METRICS = "metrics.jsonl"
LOG_BYTES = 2**28


def validations(run: Path, metric: str | None) -> list[tuple[float, float]]:
    """A metric of a run's validations by epoch; empty where there is none, or a log that cannot be
    read, which is told."""
    path = run / METRICS
    if metric is None or not path.exists():
        return []
    try:
        with refused_as(RunError, f"{path}: cannot be read"):
            check_plain(path, limit=LOG_BYTES)
            return list(_points(path.read_text(encoding="utf-8"), metric))
    except RunError as error:
        log.warning("%s; its curve is left out", error)
        return []


def _points(text: str, metric: str) -> Iterator[tuple[float, float]]:
    for number, line in enumerate(_validated(text), 1):
        if metric in line["validation"]:
            yield float(line.get("epoch", number)), float(line["validation"][metric])


def _validated(text: str) -> Iterator[Mapping[str, Any]]:
    """The lines that hold a validation; a last one that is being written is none."""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            found = json.loads(line)
            if found.get("validation"):
                yield found
