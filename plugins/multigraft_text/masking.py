"""Token masking: choose the tokens that an encoder has to guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multigraft import Brief, MultigraftError
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Arrays, Spec
from multigraft.models.tasks.teacher_forcing import IGNORED
from multigraft_text.masked_spans import draw_by_word, spans, word_beginnings, words_of
from multigraft_text.token_ids import token_ids

SPAN = 3.0
"""The mean number of words in a span, unless a recipe says otherwise."""


@dataclass(frozen=True)
class Masking:
    """BERT's masking (Devlin et al. 2018): of chosen tokens 80% masked, 10% random, 10% kept.

    By ``unit`` tokens are chosen alone; with all of their word (Devlin's whole word masking), whose
    tokens fare each its own way; or in spans of words (Joshi et al. 2020), which fare as one.
    """

    mask: int
    """The id of the mask token."""
    special: np.ndarray
    """The ids that are never chosen."""
    words: np.ndarray
    """The ids that a random token is drawn from."""
    share: float
    unit: str = "token"
    span_length: float = SPAN
    """The mean number of words in a span."""
    begins: np.ndarray | None = None
    """Which ids begin a word; None where tokens are chosen alone."""

    @classmethod
    def of(cls, brief: Brief) -> Masking:
        """The rule for a run's tokenizer. Raises MultigraftError where it has no mask token, or a
        length is asked for of spans that there are none of."""
        reader: Reader = brief.reader
        spec: Spec = reader.spec()
        ids = token_ids(spec)
        roles = spec["special"]
        if "mask_token" not in roles:
            raise MultigraftError(
                "masked language modeling needs a tokenizer with a mask token, and this one has "
                "none; use other weights, or backbone.weights=scratch, which learns one"
            )
        special = np.array(sorted({ids[token] for token in roles.values()}))
        words = np.setdiff1d(np.array(sorted(set(ids.values()))), special)
        unit, length = brief.options.get("unit", "token"), brief.options.get("span_length")
        if length is not None and unit != "span":
            raise MultigraftError(
                f"task.span_length: belongs to unit: span, and the unit is {unit!r}; leave it out"
            )
        return cls(
            ids[roles["mask_token"]],
            special,
            words,
            brief.options["mask_share"],
            unit=unit,
            span_length=SPAN if length is None else length,
            begins=None if unit == "token" else word_beginnings(spec),
        )

    def apply(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Change ``input_ids``; add ``labels`` [B, T]: the token that stood there, or -100.

        Padding and special tokens are never chosen; of every row that has others, also of a joined
        one, at least one is.
        """
        ids = batch["input_ids"]
        mask = batch["attention_mask"]
        segments = batch.get("segments", mask)
        if self.unit == "span":
            chosen, fate = self._choose_spans(ids, mask, segments, rng)
        else:
            chosen = self._choose(ids, mask, segments, rng)
            fate = rng.random(ids.shape)
        changed = np.where(chosen & (fate < 0.8), self.mask, ids)
        drawn = rng.choice(self.words, size=ids.shape)
        changed = np.where(chosen & (fate >= 0.9), drawn, changed)
        labels = np.where(chosen, ids, IGNORED)
        return {**batch, "input_ids": changed.astype(ids.dtype), "labels": labels.astype(ids.dtype)}

    def _choose(
        self, ids: np.ndarray, mask: np.ndarray, segments: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        plain = self._plain(ids, mask)
        if self.begins is None:
            draw = np.where(plain, rng.random(ids.shape), np.inf)
        else:
            draw = draw_by_word(words_of(ids, plain, segments, self.begins), rng)
        lowest = draw == _lowest(draw, segments)
        return plain & ((draw < self.share) | lowest)

    def _choose_spans(
        self, ids: np.ndarray, mask: np.ndarray, segments: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which tokens are in a span, and the draw of each one's span: [B, T] each."""
        assert self.begins is not None
        words = words_of(ids, self._plain(ids, mask), segments, self.begins)
        found = spans(words, segments, self.share, self.span_length, rng)
        return found >= 0, draw_by_word(found, rng)

    def _plain(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Which tokens are open to choice."""
        return (mask == 1) & ~np.isin(ids, self.special)


def _lowest(draw: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Each position's lowest draw in its own segment: [B, T]."""
    count = int(segments.max()) + 1
    group = segments + count * np.arange(len(segments))[:, None]
    lowest = np.full(count * len(segments), np.inf)
    np.minimum.at(lowest, group, draw)
    found: np.ndarray = lowest[group]
    return found
