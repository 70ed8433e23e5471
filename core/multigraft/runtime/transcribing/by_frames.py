"""Transcripts of long sounds by CTC: frames of overlapping windows, of which few are held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multigraft.contracts.answers import Window
from multigraft.contracts.reader import LongReader, Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Answer, Arrays
from multigraft.runtime.answers.ctc_decoding.seams import Frames, real_frames, seam
from multigraft.runtime.answers.transcription import Transcription
from multigraft.runtime.transcribing.open_sound import opened

STEP = 0.75
"""How far a window is from the one before, as a share of its length."""
UNSURE = 1.0
"""Seconds at the end of what was heard in which a word may go on."""
PAUSE, LONGEST = 0.6, 6.0
"""Seconds without a word that end a segment, and of the longest one."""


def transcribe(
    run: Callable[[Arrays], Arrays],
    answers: Transcription,
    reader: Any,
    raw: Any,
    asked: Mapping[str, Any],
) -> Iterator[Answer]:
    """The segments of a sound, in order, each with its words. Raises RowError."""
    return _segments(_words(_heard(run, answers, reader, raw), answers, asked))


def _heard(
    run: Callable[[Arrays], Arrays], answers: Transcription, reader: Any, raw: Any
) -> Iterator[Frames]:
    """Frames in order, each once: windows meet where both are surest that nothing is said."""
    long: LongReader = reader
    own: Reader = reader
    before: Frames | None = None
    since, start, step = -np.inf, 0.0, 0.0
    with opened(long, raw) as at:
        while (stretch := at(start)) is not None:
            batch = collate([stretch.row], own.fills)
            outputs = {name: array[0] for name, array in run(batch).items()}
            now = real_frames(Window(stretch.row, outputs, own.length(stretch.row)))
            if before is not None:
                until = seam(before, now, answers.blank)
                yield _between(before, since, until)
                since = until
            before, step = now, step or STEP * stretch.seconds
            if stretch.seconds * STEP < step:  # the last one
                break
            start += step
    if before is not None:
        yield _between(before, since, np.inf)


def _between(frames: Frames, low: float, high: float) -> Frames:
    chances, times = frames
    inside = (times >= low) & (times < high)
    return chances[inside], times[inside]


def _words(
    heard: Iterator[Frames], answers: Transcription, asked: Mapping[str, Any]
) -> Iterator[Answer]:
    """Words as soon as they are whole."""
    held: Frames | None = None
    for frames in heard:
        held = frames if held is None else _joined(held, frames)
        if not len(held[1]):
            continue
        sure = held[1][-1] - UNSURE
        whole = [word for word in answers.heard(held, asked)["words"][:-1] if word["end"] < sure]
        yield from whole
        held = _between(held, whole[-1]["end"] if whole else sure - LONGEST, np.inf)
    if held is not None and len(held[1]):
        yield from answers.heard(held, asked)["words"]


def _joined(one: Frames, other: Frames) -> Frames:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _segments(words: Iterator[Answer]) -> Iterator[Answer]:
    """Words in lines, cut at pauses."""
    line: list[Answer] = []
    for word in words:
        if line and (
            word["start"] - line[-1]["end"] > PAUSE or word["end"] - line[0]["start"] > LONGEST
        ):
            yield _segment(line)
            line = []
        line.append(word)
    if line:
        yield _segment(line)


def _segment(words: list[Answer]) -> Answer:
    return {
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "text": " ".join(word["text"] for word in words),
        "score": float(np.mean([word["score"] for word in words])),
        "words": words,
    }
