"""Training phases: from where something begins to learn to where the next thing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of the training in which the same parameters learn, as shares from 0 to 1."""

    begin: float
    end: float


class Phases:
    """Current phase of a training.

    >>> phases = Phases([0.0, 0.5])
    >>> phases.enter(0.1), phases.enter(0.2), phases.enter(0.6)
    (Phase(begin=0.0, end=0.5), None, Phase(begin=0.5, end=1.0))
    """

    def __init__(self, starts: Sequence[float]) -> None:
        """``starts`` are the shares at which something begins to learn (`Plan.starts`)."""
        self._starts = starts
        self.now: Phase | None = None

    def enter(self, share: float) -> Phase | None:
        """Enter the phase that begins by ``share`` of the training; None within this one."""
        begin = max((start for start in self._starts if start <= share), default=0.0)
        if self.now is not None and begin == self.now.begin:
            return None
        end = min((start for start in self._starts if start > begin), default=1.0)
        self.now = Phase(begin, end)
        return self.now

    def leave(self) -> None:
        """Forget the phase, so that the next step enters its own anew."""
        self.now = None
