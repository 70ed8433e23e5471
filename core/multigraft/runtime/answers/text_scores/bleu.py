"""BLEU (Papineni et al. 2002), as sacrebleu computes it by default: 13a, exponential smoothing."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable

import numpy as np

from multigraft.runtime.answers.text_scores.units import ngrams, shared

ORDER = 4
_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
_RULES = (
    (re.compile(r"([!-&(-+/:-@[-`{-~])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""What stands by itself: signs; points and commas but for those between digits; a dash behind a
digit."""


def tokenize_13a(text: str) -> tuple[str, ...]:
    """The words and signs of a text, by the rules of WMT's mteval-v13a.

    >>> tokenize_13a('It\\'s 1,000.5 kg, "so".')
    ("It's", '1,000.5', 'kg', ',', '"', 'so', '"', '.')
    """
    line = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES.items():
        line = line.replace(entity, sign)
    line = f" {line} "
    for rule, spaced in _RULES:
        line = rule.sub(spaced, line)
    return tuple(line.split())


def bleu_counts(answer: str, *references: str) -> np.ndarray:
    """What a row adds to BLEU, int64 [5, 2]: words of the answer and of the reference nearest to
    it in length; then of each order 1 to 4 the n-grams that a reference has, and all."""
    said, expected = tokenize_13a(answer), [tokenize_13a(each) for each in references]
    nearest = min((len(each) for each in expected), key=lambda size: (abs(size - len(said)), size))
    rows = [(len(said), nearest)]
    for order in range(1, ORDER + 1):
        known: Counter[Hashable] = Counter()
        for each in expected:
            known |= ngrams(each, order)
        rows.append((shared(ngrams(said, order), known), max(len(said) - order + 1, 0)))
    return np.array(rows, dtype=np.int64)


def corpus_bleu(counts: np.ndarray) -> float:
    """BLEU, 0 to 100, of a sum of rows' counts [5, 2].

    The first order without a match counts as half a match, the next as a quarter, and so on (Chen
    & Cherry 2014, method 3). Without any match, or without n-grams of some order, it is 0.
    """
    (said, expected), *orders = counts.tolist()
    if not orders[0][0] or not orders[-1][1]:
        return 0.0
    credit, logs = 1.0, 0.0
    for matched, of in orders:
        credit = credit if matched else credit / 2
        logs += math.log((matched or credit) / of)
    return 100 * math.exp(logs / ORDER + min(0.0, 1 - expected / said))
