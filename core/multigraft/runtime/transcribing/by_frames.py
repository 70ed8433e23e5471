"""Transcripts of long sounds by CTC: frames of overlapping windows, of which few are held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    for _, segments in windows(run, answers, reader, raw, asked):
        yield from segments


def windows(
    run: Callable[[Arrays], Arrays],
    answers: Transcription,
    reader: Any,
    raw: Any,
    asked: Mapping[str, Any],
) -> Iterator[tuple[float, Sequence[Answer]]]:
    """The second up to which a sound was heard, and the segments that ended with the last
    window."""
    words, lines, second = _Words(answers, asked), _Lines(), 0.0
    for second, frames in _heard(run, answers, reader, raw):
        yield second, lines.add(words.add(frames))
    yield second, [*lines.add(words.close()), *lines.close()]


def _heard(
    run: Callable[[Arrays], Arrays], answers: Transcription, reader: Any, raw: Any
) -> Iterator[tuple[float, Frames]]:
    """Frames in order, each once, and the second at which the last window ends: windows meet where
    both are surest that nothing is said."""
    long: LongReader = reader
    own: Reader = reader
    before: Frames | None = None
    since, start, step, end = -np.inf, 0.0, 0.0, 0.0
    with opened(long, raw) as at:
        while (stretch := at(start)) is not None:
            batch = collate([stretch.row], own.fills)
            outputs = {name: array[0] for name, array in run(batch).items()}
            now = real_frames(Window(stretch.row, outputs, own.length(stretch.row)))
            end = start + stretch.seconds
            if before is not None:
                until = seam(before, now, answers.blank)
                yield end, _between(before, since, until)
                since = until
            before, step = now, step or STEP * stretch.seconds
            if stretch.seconds * STEP < step:  # the last one
                break
            start += step
    if before is not None:
        yield end, _between(before, since, np.inf)


def _between(frames: Frames, low: float, high: float) -> Frames:
    chances, times = frames
    inside = (times >= low) & (times < high)
    return chances[inside], times[inside]


class _Words:
    """Words as soon as they are whole; the frames behind them are held."""

    def __init__(self, answers: Transcription, asked: Mapping[str, Any]) -> None:
        self._answers, self._asked = answers, asked
        self._held: Frames | None = None

    def add(self, frames: Frames) -> list[Answer]:
        """Those that more frames made whole."""
        held = frames if self._held is None else _joined(self._held, frames)
        self._held = held
        if not len(held[1]):
            return []
        sure = held[1][-1] - UNSURE
        told = self._answers.heard(held, self._asked)["words"][:-1]
        whole = [word for word in told if word["end"] < sure]
        self._held = _between(held, whole[-1]["end"] if whole else sure - LONGEST, np.inf)
        return whole

    def close(self) -> list[Answer]:
        """The rest."""
        held = self._held
        if held is None or not len(held[1]):
            return []
        found: list[Answer] = self._answers.heard(held, self._asked)["words"]
        return found


def _joined(one: Frames, other: Frames) -> Frames:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


class _Lines:
    """Words in lines, cut at pauses."""

    def __init__(self) -> None:
        self._line: list[Answer] = []

    def add(self, words: Sequence[Answer]) -> list[Answer]:
        """The segments that more words ended."""
        ended = []
        for word in words:
            line = self._line
            if line and (
                word["start"] - line[-1]["end"] > PAUSE or word["end"] - line[0]["start"] > LONGEST
            ):
                ended += self.close()
            self._line.append(word)
        return ended

    def close(self) -> list[Answer]:
        """The last segment, where there is one."""
        line, self._line = self._line, []
        return [_segment(line)] if line else []


def _segment(words: list[Answer]) -> Answer:
    return {
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "text": " ".join(word["text"] for word in words),
        "score": float(np.mean([word["score"] for word in words])),
        "words": words,
    }
