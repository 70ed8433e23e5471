"""Prefix beam search beside a sum over every alignment there is."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from multigraft.runtime.answers.ctc_decoding.prefix_beam_search import (
    prefix_beam_search,
    stretches,
)


def random_chances(rng: np.random.Generator, frames: int, tokens: int) -> np.ndarray:
    logits = rng.normal(0, 2, (frames, tokens))
    found: np.ndarray = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return found


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    kept = [token for place, token in enumerate(path) if place == 0 or token != path[place - 1]]
    return tuple(token for token in kept if token != blank)


def by_brute_force(chances: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """The probability of each sequence, summed over all alignments."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(chances.shape[1]), repeat=len(chances)):
        found[collapsed(path, blank)] += math.exp(chances[np.arange(len(path)), path].sum())
    return found


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("frames", [1, 4, 6])
def test_with_beams_enough_every_probability_is_exact(frames: int, blank: int) -> None:
    rng = np.random.default_rng(frames)
    for _ in range(10):
        chances = random_chances(rng, frames, 3)
        wanted = by_brute_force(chances, blank)
        found = prefix_beam_search(chances, blank, beams=10_000)
        assert {tokens for tokens, _ in found} == set(wanted)
        for tokens, chance in found:
            assert math.exp(chance) == pytest.approx(wanted[tokens], rel=1e-9)
        assert found[0][0] == max(wanted, key=lambda tokens: wanted[tokens])


def test_few_beams_find_a_text_that_the_best_alignment_has_not() -> None:
    """Two alignments of "a" outweigh the one of nothing, which is the most probable."""
    chances = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert chances.argmax(1).tolist() == [0, 0]
    ((best, chance), *_) = prefix_beam_search(chances, 0, beams=2)
    assert best == (1,)
    assert math.exp(chance) == pytest.approx(0.64)


def test_unlikely_tokens_begin_nothing() -> None:
    chances = np.log([[0.9, 0.09, 0.01]] * 3)
    found = prefix_beam_search(chances, 0, beams=100, unlikely=math.log(0.05))
    assert {token for tokens, _ in found for token in tokens} == {1}


def test_stretches_are_cut_where_nothing_is_said() -> None:
    chances = np.log(np.tile([0.1, 0.9], (100, 1)))
    chances[[30, 55, 82], 0] = 0.0
    found = list(stretches(chances, 0, longest=40))
    assert [(each.start, each.stop) for each in found] == [(0, 30), (30, 55), (55, 82), (82, 100)]
