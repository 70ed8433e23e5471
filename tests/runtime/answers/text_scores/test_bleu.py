"""BLEU beside sacrebleu, and what a bootstrap makes of its counts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from helpers.generated_texts import corpora, random_text
from multigraft.evaluation.statistics import resamples
from multigraft.runtime.answers.text_scores.bleu import bleu_counts, corpus_bleu, tokenize_13a


def summed(said: list[str], expected: list[list[str]]) -> np.ndarray:
    rows = [bleu_counts(one, *texts) for one, texts in zip(said, expected, strict=True)]
    return np.sum(rows, axis=0)


@pytest.mark.parametrize("references", [1, 3])
def test_bleu_is_sacrebleus(references: int) -> None:
    scores = []
    for said, expected in corpora(500, references):
        oracle = BLEU().corpus_score(said, list(zip(*expected, strict=True))).score
        scores.append(corpus_bleu(summed(said, expected)))
        assert scores[-1] == pytest.approx(oracle, abs=1e-6), (said, expected)
    assert min(scores) == 0
    assert max(scores) > 50


def test_words_and_signs_are_those_of_mteval() -> None:
    rng, oracle = random.Random(0), Tokenizer13a()
    for _ in range(500):
        text = random_text(rng)
        assert " ".join(tokenize_13a(text)) == oracle(text.rstrip()), repr(text)


def test_the_corpus_is_not_the_mean_of_its_rows() -> None:
    """2 of 2 words and 4 of 8, by hand: no bigram matches in the second."""
    one, other = bleu_counts("a b", "a b"), bleu_counts("a x b y c z d w", "a b c d")
    assert (one + other).tolist() == [[10, 6], [6, 10], [1, 8], [0, 6], [0, 5]]
    expected = 100 * (6 / 10 * 1 / 8 * 1 / (2 * 6) * 1 / (4 * 5)) ** 0.25
    assert corpus_bleu(one + other) == pytest.approx(expected)


def test_an_answer_that_is_too_short_is_paid_for() -> None:
    text = "one two three four five"
    assert corpus_bleu(bleu_counts(text, text)) == pytest.approx(100)
    assert corpus_bleu(bleu_counts(text, f"{text} six")) == pytest.approx(100 * np.exp(1 - 6 / 5))


def test_a_resample_of_counts_is_the_corpus_of_its_rows() -> None:
    said, expected = (
        [row for each in part for row in each] for part in zip(*corpora(20), strict=True)
    )
    counts = np.stack([bleu_counts(a, *b) for a, b in zip(said, expected, strict=True)])
    for chosen in resamples(len(said), 20, seed=0):
        texts = [said[row] for row in chosen], [[expected[row][0] for row in chosen]]
        found = corpus_bleu(counts[chosen].sum(0))
        assert found == pytest.approx(BLEU().corpus_score(*texts).score, abs=1e-6)
