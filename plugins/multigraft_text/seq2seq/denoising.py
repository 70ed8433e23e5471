"""Denoising (Lewis et al. 2020, section 2.2): text infilling and sentence permutation, undone."""

from __future__ import annotations

import numpy as np

from multigraft import Brief, MultigraftError
from multigraft.contracts.types import Arrays, Spec
from multigraft_text.seq2seq.restoring import Restored
from multigraft_text.seq2seq.span_corruption import apart
from multigraft_text.token_ids import token_ids

FULL_STOPS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")
"""What a sentence's last token ends with."""


class Denoising(Restored):
    """Sentences are put in another order, and spans replaced by one mask token each; the target is
    the text."""

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        special = self.spec["special"]
        if "mask_token" not in special:
            raise MultigraftError(
                "denoising needs a tokenizer with a mask token, and this one has none; backbones "
                "that fit: bart-..., whose learned tokenizers have one too; for t5-... the task is "
                "span-corruption"
            )
        self.mask = token_ids(self.spec)[special["mask_token"]]
        self.share: float = brief.options["mask_share"]
        self.length: float = brief.options["span_length"]
        self.ends = sentence_ends(self.spec) if brief.options["permute_sentences"] else None

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """Change the text; add ``labels``."""
        tokens = self.frame.tokens(row)
        order = tokens if self.ends is None else permute(tokens, self.ends, rng)
        wanted = max(1, round(self.share * len(tokens)))
        source = infill(order, draw_lengths(wanted, self.length, rng), self.mask, rng)
        return self.frame.learned(row, source, tokens)


def sentence_ends(spec: Spec) -> np.ndarray:
    """Which tokens end a sentence: [V] bool, by id."""
    ids = token_ids(spec)
    ends = np.zeros(max(ids.values()) + 1, dtype=bool)
    ends[[number for token, number in ids.items() if token.endswith(FULL_STOPS)]] = True
    return ends


def permute(tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the sentences of a text in a random order.

    >>> permute(np.array([5, 0, 6, 0, 7]), np.arange(8) == 0, np.random.default_rng(1)).tolist()
    [5, 0, 7, 6, 0]
    """
    sentence = np.append(0, ends[tokens].cumsum()[:-1])
    place = rng.permutation(int(sentence[-1]) + 1)
    return tokens[np.argsort(place[sentence], kind="stable")]


def draw_lengths(wanted: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """Lengths of spans that have ``wanted`` tokens together: Poisson with the mean ``mean``, int64.

    The one that reaches the number is cut to it. Spans of no token, at which a mask is inserted,
    are drawn too; where a text would become longer by them, the last are left out.
    """
    drawn = np.zeros(0, dtype=np.int64)
    while drawn.sum() < wanted:
        drawn = np.append(drawn, rng.poisson(mean, 2 + int(1.5 * wanted / mean)))
    total = drawn.cumsum()
    count = int(np.searchsorted(total, wanted)) + 1
    lengths = drawn[:count]
    lengths[-1] -= total[count - 1] - wanted
    spare = wanted - np.count_nonzero(lengths)
    return rng.permutation(lengths[(lengths > 0) | ((lengths == 0).cumsum() <= spare)])


def infill(
    tokens: np.ndarray, lengths: np.ndarray, mask: int, rng: np.random.Generator
) -> np.ndarray:
    """Replace spans of these lengths by a mask each, each way to place them equally probable."""
    count = len(lengths)
    kept_tokens = len(tokens) - int(lengths.sum())
    slots = np.sort(rng.choice(kept_tokens + count, count, replace=False))
    before = slots - np.arange(count)  # the tokens that are kept in front of each span
    kept, _ = apart(tokens, np.diff(before, prepend=0, append=kept_tokens), lengths)
    return np.insert(kept, before, mask)
