"""Span corruption (Raffel et al. 2020, section 3.1.4): write the spans that were dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from multigraft import Brief, MultigraftError
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import RecipeError
from multigraft_text.seq2seq.restoring import Restored
from multigraft_text.token_ids import token_ids

SENTINEL = re.compile(r"\u2581?<extra_id_(\d+)>")
"""As T5 names them; mT5's begin as its words do."""


class SpanCorruption(Restored):
    """Spans are replaced by sentinels in the source; the target is each sentinel with its span, and
    one sentinel more."""

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        self.sentinels = sentinel_ids(self.spec)
        self.density: float = brief.options["noise_density"]
        self.length: float = brief.options["span_length"]
        self._check_sentinels(brief.options)

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """Drop spans; add ``labels``."""
        tokens = self.frame.tokens(row)
        gaps, sizes = draw_spans(len(tokens), self.density, self.length, rng)
        return self.frame.learned(row, *corrupt(tokens, gaps, sizes, self.sentinels))

    def _check_sentinels(self, options: Mapping[str, float]) -> None:
        if not len(self.sentinels):
            raise MultigraftError(
                "span-corruption needs a tokenizer with sentinels, <extra_id_0> and so on, and "
                "this one has none; backbones that fit: t5-..., whose learned tokenizers have them "
                "too; for bart-... the task is denoising"
            )
        most = _spans(self.spec["max_length"], self.density, self.length)[1]
        if most >= len(self.sentinels):
            raise RecipeError(
                [
                    f"task.span_length: found {options['span_length']}; a row of reader.max_length "
                    f"{self.spec['max_length']} would lose {most} spans, and the tokenizer has "
                    f"{len(self.sentinels)} sentinels, one of which ends the target: raise it, or "
                    "lower task.noise_density or reader.max_length"
                ]
            )


def sentinel_ids(spec: Spec) -> np.ndarray:
    """The ids of the sentinels from number 0 on, as far as they follow each other: int64 [S]."""
    found = {}
    for token, each in token_ids(spec).items():
        if match := SENTINEL.fullmatch(token):
            found[int(match[1])] = each
    known = next((number for number in range(len(found)) if number not in found), len(found))
    return np.array([found[number] for number in range(known)], dtype=np.int64)


def draw_spans(
    length: int, density: float, mean: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where spans lie in so many tokens: those kept before each span and behind the last, [K + 1],
    and those in each span, [K].

    As T5 does it, ``density`` of the tokens are noise, and they are cut into spans of the length
    ``mean`` at random, each way to cut equally probable; spans do not touch. T5, which joins texts
    before, ends each sequence with a span. Here a row is a text of its own: it may begin and end
    with either, each way to place the spans being equally probable.
    """
    noise, count = _spans(length, density, mean)
    gaps = compositions(length - noise + 2, count + 1, rng)
    gaps[[0, -1]] -= 1  # the outer ones may be empty
    return gaps, compositions(noise, count, rng)


def corrupt(
    tokens: np.ndarray, gaps: np.ndarray, sizes: np.ndarray, sentinels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of tokens [T], as `draw_spans` places spans in them.

    >>> corrupt(np.arange(6), np.array([2, 1]), np.array([3]), np.array([90, 91]))
    (array([ 0,  1, 90,  5]), array([90,  2,  3,  4, 91]))
    """
    kept, dropped = apart(tokens, gaps, sizes)
    count = len(sizes)
    source = np.insert(kept, gaps[:-1].cumsum(), sentinels[:count])
    ends = np.concatenate([[0], sizes.cumsum()])
    return source, np.insert(dropped, ends, sentinels[: count + 1])


def apart(tokens: np.ndarray, gaps: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tokens outside of spans, and those in them."""
    lengths = np.zeros(len(gaps) + len(sizes), dtype=np.int64)
    lengths[::2], lengths[1::2] = gaps, sizes
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return tokens[~inside], tokens[inside]


def compositions(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """Cut ``total`` into so many numbers from 1 on, each way equally probable: int64 [parts]."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=total)


def _spans(length: int, density: float, mean: float) -> tuple[int, int]:
    """How many of so many tokens are noise, and in how many spans."""
    noise = min(max(round(length * density), 1), max(length - 1, 1))
    return noise, min(max(round(noise / mean), 1), noise, length - noise + 1)
