"""Segments: what a window's tokens say, cut at the times that they tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multigraft.runtime.bundle import Speech


@dataclass(frozen=True)
class Segment:
    """Tokens with their times, in seconds of the window."""

    start: float
    end: float
    tokens: tuple[int, ...]


def cut(tokens: Sequence[int], speech: Speech, seconds: float) -> tuple[list[Segment], float]:
    """The segments of a window, and the second at which the next window begins.

    ``seconds`` is how much of the window is the sound's. A segment that is not told to have ended
    is heard again in the next window; a window without any is one segment, as transformers has it.
    """
    first, step = speech.first_timestamp, speech.step
    times = [token >= first for token in tokens]
    ends = [place + 1 for place in range(len(times) - 1) if times[place] and times[place + 1]]
    if not ends:
        return [_whole(tokens, speech, seconds)], seconds
    closed = times[-2:] == [False, True]  # nothing is said behind the last time
    if closed:
        ends.append(len(tokens))
    else:
        ends[-1] += 1  # both times of the last pair
    segments, begin = [], 0
    for number, end in enumerate(ends):
        part = tuple(tokens[begin:end])
        last = -2 if number == len(ends) - 1 and not closed else -1
        segments.append(Segment((part[0] - first) * step, (part[last] - first) * step, part))
        begin = end
    return segments, seconds if closed else (tokens[begin - 2] - first) * step


def _whole(tokens: Sequence[int], speech: Speech, seconds: float) -> Segment:
    first, step = speech.first_timestamp, speech.step
    times = [token for token in tokens if token >= first]
    told = bool(times) and times[-1] != first
    end = (times[-1] - first) * step if told else int(seconds / step + 1e-6) * step
    return Segment(0.0, end, tuple(tokens))


def as_context(segments: Sequence[Segment], speech: Speech, most: int) -> list[int]:
    """The last ``most`` tokens of segments, a pair of times that ends one counted once."""
    found: list[int] = []
    for each in segments:
        paired = len(each.tokens) > 2 and each.tokens[-2] >= speech.first_timestamp
        found += each.tokens[:-1] if paired else each.tokens
    return found[-most:]
