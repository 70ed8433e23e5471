"""Beam search with scores of words beside a sum over every alignment, and ARPA files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from multigraft.runtime.answers.ctc_decoding.arpa import parse_arpa
from multigraft.runtime.answers.ctc_decoding.prefix_beam_search import prefix_beam_search
from multigraft.runtime.answers.ctc_decoding.word_scores import HotWords, SummedScores, TokenScores
from runtime.answers.ctc_decoding.test_prefix_beam_search import by_brute_force, random_chances

ARPA = """
\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-1.2\t<unk>
-0.5\ta\t-0.2
-0.9\tab\t-0.1

\\2-grams:
-0.2\t<s> a\t-0.4
-0.6\ta ab
-0.3\tab a
-0.8\tab </s>

\\3-grams:
-0.1\t<s> a ab

\\end\\
"""
LOG = {tuple(words.split()): 10.0**value for value, words in (
    (-0.7, "</s>"), (-1.2, "<unk>"), (-0.5, "a"), (-0.9, "ab"), (-0.2, "<s> a"), (-0.6, "a ab"),
    (-0.3, "ab a"), (-0.8, "ab </s>"), (-0.1, "<s> a ab"),
)}  # fmt: skip
BACK = {("<s>",): 10**-0.3, ("a",): 10**-0.2, ("ab",): 10**-0.1, ("<s>", "a"): 10**-0.4}
WRITES = ["", " ", "a", "b"]


def by_katz(words: tuple[str, ...]) -> float:
    """P(last | others), by the definition."""
    if words in LOG:
        return LOG[words]
    return BACK.get(words[:-1], 1.0) * by_katz(words[1:])


def probability(text: str) -> float:
    said = [word if (word,) in LOG else "<unk>" for word in text.split()]
    words = ["<s>", *said, "</s>"]
    return math.prod(by_katz(tuple(words[max(0, at - 2) : at + 1])) for at in range(1, len(words)))


@pytest.mark.parametrize("text", ["", "a", "ab", "a ab", "a ab a", "b", "ab b a ab ab", "a a a"])
def test_probabilities_are_katzs(text: str) -> None:
    model = parse_arpa(ARPA, weight=0.7, bonus=0.4)
    state, gain = model.start(), 0.0
    for word in text.split():
        state, more = model.word(state, word)
        gain += more
        assert len(state) <= 2
    wanted = 0.7 * math.log(probability(text)) + 0.4 * len(text.split())
    assert gain + model.end(state) == pytest.approx(wanted)


def written(tokens: tuple[int, ...]) -> str:
    return "".join(WRITES[token] for token in tokens)


def both(text: str) -> float:
    return sum({"ab": 1.5, "ba": 1.5, "a": -0.5}.get(word, 0.0) for word in text.split())


def test_with_beams_enough_every_sum_is_exact() -> None:
    model = parse_arpa(ARPA, weight=0.8, bonus=0.5)
    hot = HotWords(frozenset({"ab", "ba"}), 1.5)
    rng = np.random.default_rng(0)
    for _ in range(6):
        chances = random_chances(rng, 5, 4)
        heard = by_brute_force(chances, 0)
        for scores, gain in (
            (model, lambda text: 0.8 * math.log(probability(text)) + 0.5 * len(text.split())),
            (hot, lambda text: 1.5 * sum(word in {"ab", "ba"} for word in text.split())),
            (SummedScores((hot, HotWords(frozenset({"a"}), -0.5))), both),
        ):
            found = prefix_beam_search(chances, 0, beams=10_000, scores=TokenScores(scores, WRITES))
            wanted = {t: math.log(chance) + gain(written(t)) for t, chance in heard.items()}
            assert {tokens for tokens, _ in found} == set(wanted)
            for tokens, total in found:
                assert total == pytest.approx(wanted[tokens])
            assert found[0][1] == pytest.approx(max(wanted.values()))


def test_what_is_preferred_wins_where_the_sound_is_undecided() -> None:
    chances = np.log(np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0.52, 0.48]]) + 1e-6)
    for words, text in ((set(), "aa"), ({"ab"}, "ab"), ({"aa"}, "aa")):
        scores = TokenScores(HotWords(frozenset(words), 1.0), WRITES)
        ((tokens, _), *_) = prefix_beam_search(chances, 0, beams=4, scores=scores)
        assert written(tokens) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there are no n-grams"),
        ("\\1-grams:\n-0.5\ta\n-x\tb\n", "line 3, .*, is no 1-gram"),
        ("\\1-grams:\n0.5\ta\n", "line 2"),
        ("\\2-grams:\n-0.5\ta\n", "line 2, .*, is no 2-gram: a logarithm .*, 2 words"),
        ("\\1-grams:\n-0.5\ta\tnan\n", "line 2"),
        ("\\1-grams:\n-inf\ta\n", "line 2, .*-99 of what never comes"),
        ("\\1-grams:\n-0.5\ta\t-inf\n", "line 2"),
        (ARPA.partition("\\3-grams")[0], "it says 1 3-grams and holds 0: was it cut off"),
        (ARPA.replace("ngram 2=4", "ngram 2 = 5"), "it says 5 2-grams and holds 4"),
    ],
)
def test_what_is_no_arpa_file_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_arpa(text)
