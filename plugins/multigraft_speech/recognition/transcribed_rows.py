"""Rows of sounds with what is said in them, without torch; the metrics are those of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from multigraft import RowBrief, RowError, RowObjective
from multigraft.contracts.row_objectives import Row
from multigraft.contracts.types import Arrays
from multigraft.errors import shown
from multigraft.models.tasks.written_rows import RowsByReader
from multigraft_speech.strengths import STRENGTHS

ABSENT = -1
"""What pads the tokens of a transcript, and the time of a frame that is none."""
FASTEST = 1 + max(strength.speed for strength in STRENGTHS.values())
"""How many times as fast augmentation may play a sound."""


@dataclass(frozen=True)
class Grid:
    """Where frames lie in a sound: one each ``hop`` samples, of ``field`` samples."""

    hop: int
    field: int

    def frames(self, samples: int) -> int:
        """The frames of a sound.

        >>> Grid(hop=320, field=400).frames(720), Grid(hop=320, field=400).frames(300)
        (2, 0)
        """
        return max(0, (samples - self.field) // self.hop + 1)


class TranscriptRows(RowObjective):
    """Rows of sounds with characters of the vocabulary, no more of them than there are frames."""

    monitor = "wer"
    greater_is_better = False
    fills: Mapping[str, float] = {"tokens": ABSENT}
    whole = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.vocabulary: list[str] = list(brief.targets["vocabulary"])
        self.numbers = {text: number for number, text in enumerate(self.vocabulary) if text}
        self._grid: Grid | None = None

    def grid(self, arrays: Arrays) -> Grid:
        """Where the frames of a bundle's graph lie, by the ``times`` of the first sound that has
        two of them; a shorter one's are asked for again."""
        if self._grid is not None or self.brief.serve is None:
            return self._grid or Grid(1, 0)
        times = self.brief.serve(arrays)["times"]
        ticks = times[times != ABSENT].astype(np.float64) * self.brief.reader.spec()["sample_rate"]
        if len(ticks) < 2:
            return Grid(int(1e9), round(2 * float(ticks.sum())))
        self._grid = Grid(round(float(ticks[1] - ticks[0])), round(2 * float(ticks[0])))
        return self._grid

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``tokens`` int64 [L]. Raises RowError for characters without a token, and for more of
        them than there are frames."""
        tokens = self._tokens(row["text"])
        frames = self.grid(arrays).frames(int(self.brief.reader.length(arrays) / FASTEST))
        needed = len(tokens) + int((tokens[1:] == tokens[:-1]).sum())
        if needed > frames:
            raise RowError(
                f"has {len(tokens)} characters, which take {needed} frames (one each, and one "
                f"between two that are the same), and the sound has room for {frames}: is it the "
                "transcript of another sound?",
                column="text",
            )
        return {"tokens": tokens}

    def _tokens(self, text: str) -> np.ndarray:
        if strange := sorted({sign for sign in text if sign not in self.numbers}):
            told = ", ".join(shown(sign) for sign in strange[:5])
            raise RowError(
                f"has characters that the vocabulary lacks: {told}; it has "
                f"{shown(''.join(self.numbers))} (the task's options case and punctuation say what "
                "is kept of a text)",
                column="text",
            )
        return np.array([self.numbers[sign] for sign in text], dtype=np.int64)


class DictatedRows(RowsByReader):
    """Rows of sounds with transcripts that a decoder writes."""

    monitor = "wer"
    greater_is_better = False
    column = "written"


def recognised_rows(brief: RowBrief) -> RowObjective:
    """Those of a decoder where the bundle writes, else those of CTC."""
    return TranscriptRows(brief) if brief.room is None else DictatedRows(brief)
