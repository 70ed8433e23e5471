"""Test-time augmentation: an answer from a value and its mirror image together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.reader import MirrorReader, Reader
from multigraft.contracts.records import Option
from multigraft.contracts.types import Arrays

FLIP = "flip"
ASK = Option(
    default=False,
    help="answer from the picture and its mirror image together (test-time augmentation); takes "
    "twice the time, and is wrong where left and right mean something",
)


def asks_of(answers: Answers, reader: Reader, outputs: Collection[str]) -> Mapping[str, Option]:
    """What may be asked of answers: `FLIP` too, where the reader mirrors and the graph's
    ``outputs`` are those that it takes."""
    able = bool(answers.flips) and set(answers.flips) <= set(outputs)
    if not able or not isinstance(reader, MirrorReader):
        return answers.asks
    return {**answers.asks, FLIP: ASK}


def with_mirrored(
    rows: Sequence[Arrays], asked: Mapping[str, Any], answers: Answers, reader: Reader
) -> tuple[Arrays, ...]:
    """A value's rows, and where it is asked for the mirror image of each behind them all."""
    if not (answers.flips and asked.get(FLIP) and isinstance(reader, MirrorReader)):
        return tuple(rows)
    return (*rows, *(reader.mirrored(row) for row in rows))


def views(windows: Sequence[Window], asked: Mapping[str, Any]) -> list[tuple[Window, ...]]:
    """Each window; where it is asked for, beside its mirror image."""
    if not asked.get(FLIP):
        return [(window,) for window in windows]
    half = len(windows) // 2
    return list(zip(windows[:half], windows[half:], strict=True))
