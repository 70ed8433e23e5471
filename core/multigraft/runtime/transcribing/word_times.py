"""Word times of a decoder of speech, from where its cross-attention looks.

As in the timing of openai's whisper the text is read once more without times, the weights of the
alignment heads are standardised over its tokens, smoothed and averaged, and dynamic time warping
gives every token its frames. Edges of words are then moved to the pauses beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.reader import LOUDNESS_STEP
from multigraft.contracts.types import Answer
from multigraft.errors import BundleError
from multigraft.runtime.bundle import Generation
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.sampling import log_softmax
from multigraft.runtime.transcribing.time_warping import first_columns
from multigraft.runtime.transcribing.token_words import TokenWord
from multigraft.runtime.transcribing.word_edges import Anchors, quiet_moments, word_edges

SMOOTHED = 7
"""Frames of which the median is taken."""


@dataclass(frozen=True)
class Listening:
    """Where a decoder listens for each token of a window's text."""

    looked: np.ndarray
    """How much more than at other times each is looked for in each frame, and in the last row what
    ends the text: [T + 1, frames]."""
    chances: np.ndarray
    """How sure each is, [T]."""
    step: float
    """Seconds from one frame to the next."""


def check_alignment(ports: Generation) -> None:
    """Raise BundleError for graphs that do not tell where they look."""
    if ports.alignment is None:
        raise BundleError(
            "the bundle's decoder does not tell where it listens, which words' times follow from; "
            "export the run again"
        )


def listen(
    decoding: Decoding, begin: Sequence[int], tokens: Sequence[int], seconds: float
) -> Listening:
    """Read a window's text once more, its times left out; ``begin`` is what a text with times
    begins with, and ``seconds`` how much of the window is the sound's.

    Tokens for which the decoder has no room any more are looked for nowhere.
    """
    ports = decoding.ports
    assert ports.speech is not None
    prompt, end = [*begin, ports.speech.no_timestamps], min(ports.stop)
    read = list(tokens[: ports.max_length - len(prompt) - 1])
    logits, weights = decoding.aligned(np.array([[*prompt, *read, end]]))
    likely = log_softmax(logits[0, len(prompt) - 1 : -2])
    chances = np.exp(likely[np.arange(len(read)), read])
    frames = max(1, min(weights.shape[-1], round(seconds / ports.speech.step)))
    looked = _looked(weights[0, :, :, :frames])[len(prompt) - 1 : -1]
    return Listening(looked, chances, ports.speech.step)


def word_times(words: Sequence[TokenWord], heard: Listening, loudness: np.ndarray) -> list[Answer]:
    """Each word with its time, in seconds of the window, of whose moments (`LOUDNESS_STEP`)
    ``loudness`` tells the decibels.

    Punctuation is said nowhere, so that warping gives its frames to the words. Where each word
    begins and ends follows from the quiet around it (see `word_edges`): the decoder listens for the
    middle of a word rather than for its edges.
    """
    known = [word for word in words if word.last < len(heard.chances)]
    kept = sorted({token for word in known for token in range(word.first, word.last + 1)})
    starts = first_columns(-heard.looked[[*kept, len(heard.chances)]])
    place = {token: number for number, token in enumerate(kept)}
    moments = heard.step / LOUDNESS_STEP

    def listened_for(token: int) -> int:
        peak = _peak(heard.looked[token], *starts[place[token] :][:2])
        return round(moments * peak)

    anchors = [Anchors(listened_for(word.first), listened_for(word.last)) for word in known]
    changes = [round(moments * int(starts[place[word.first]])) for word in known[1:]]
    edges = word_edges(anchors, changes, quiet_moments(loudness))
    beyond = edges[-1][1] if edges else 0
    edges += [(beyond, beyond)] * (len(words) - len(known))
    return [_word(word, heard, *edge) for word, edge in zip(words, edges, strict=True)]


def shifted(word: Answer, behind: float) -> Answer:
    """A word so many seconds later."""
    times = {name: round(word[name] + behind, 3) for name in ("start", "end")}
    return {**word, **times}


def _peak(looked: np.ndarray, start: int, end: int) -> int:
    """The frame in which a token is looked for most, of those that warping gave it."""
    return int(start) + int(looked[start : max(start + 1, end)].argmax())


def _word(word: TokenWord, heard: Listening, start: int, end: int) -> Answer:
    sure = heard.chances[word.first : word.last + 1]
    return {
        "text": word.text,
        "start": round(start * LOUDNESS_STEP, 3),
        "end": round(end * LOUDNESS_STEP, 3),
        "score": round(float(sure.mean()), 4) if len(sure) else 0.0,
    }


def _looked(weights: np.ndarray) -> np.ndarray:
    """How much more than at other times each token is looked for in each frame: [heads, T, frames]
    -> [T, frames]."""
    shares = weights / np.maximum(weights.sum(-1, keepdims=True), np.finfo(np.float32).tiny)
    spread = np.maximum(shares.std(1, keepdims=True), np.finfo(np.float32).tiny)
    usual = (shares - shares.mean(1, keepdims=True)) / spread
    return _smoothed(usual).mean(0)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Medians over the last axis, whose ends are mirrored."""
    half = SMOOTHED // 2
    if values.shape[-1] <= half:
        return values
    padded = np.pad(values, ((0, 0), (0, 0), (half, half)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED, axis=-1)
    found: np.ndarray = np.median(windows, axis=-1)
    return found
