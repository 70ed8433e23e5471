"""Rules of times: which tokens may follow, where a text tells when it is said (Radford et al.
2022, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.runtime.bundle import Speech
from multigraft.runtime.generation.sampling import log_softmax


@dataclass(frozen=True)
class TimeRules:
    """Times stand in pairs (an end, the next start), never go back, and come first; where all of
    them together are likelier than any word, one is written. As transformers has it."""

    speech: Speech
    end: int
    """The token that ends a text; words lie in front of it."""

    def allowed(self, scores: np.ndarray, written: Sequence[int]) -> np.ndarray:
        """Scores [V] of the token behind ``written``, -inf where it may not stand there."""
        scores, first = scores.copy(), self.speech.first_timestamp
        scores[self.speech.no_timestamps] = -np.inf
        told = [token >= first for token in written[-2:]]
        if told[-1:] == [True]:
            if told == [False, True]:
                scores[: self.end] = -np.inf  # a start, or the end of the text
            else:
                scores[first:] = -np.inf  # words
        scores[first : self._earliest(written)] = -np.inf
        if not written:
            scores[:first] = -np.inf
            if self.speech.latest_first is not None:
                scores[first + self.speech.latest_first + 1 :] = -np.inf
        return self._timed(scores)

    def _earliest(self, written: Sequence[int]) -> int:
        """The first time that may follow: an end's own, or one later than any that was told."""
        first = self.speech.first_timestamp
        times = [token for token in written if token >= first]
        if not times:
            return first
        ended = written[-1] >= first and len(written) > 1 and written[-2] < first
        return times[-1] if ended else times[-1] + 1

    def _timed(self, scores: np.ndarray) -> np.ndarray:
        first, likely = self.speech.first_timestamp, log_softmax(scores)
        times = np.logaddexp.reduce(likely[first:])
        if times > likely[:first].max():
            scores[:first] = -np.inf
        return scores
