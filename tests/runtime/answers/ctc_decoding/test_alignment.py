"""Alignments beside a search through all of them."""

from __future__ import annotations

from itertools import product

import numpy as np

from multigraft.runtime.answers.ctc_decoding.alignment import align, best_path
from runtime.answers.ctc_decoding.test_prefix_beam_search import collapsed, random_chances


def test_the_most_probable_of_all_alignments_is_found() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        chances = random_chances(rng, 6, 3)
        for tokens in ((1,), (1, 2), (1, 1), (2, 1, 2)):
            paths = [path for path in product(range(3), repeat=6) if collapsed(path, 0) == tokens]
            best = max(paths, key=lambda path: chances[np.arange(6), path].sum())
            told = np.zeros(6, dtype=np.int64)
            for each in align(chances, tokens, 0):
                told[each.first : each.last + 1] = each.token
            assert told.tolist() == list(best)


def test_the_best_path_is_the_alignment_of_its_own_text() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        chances = random_chances(rng, 12, 4)
        said = best_path(chances, 0)
        assert align(chances, [each.token for each in said], 0) == said


def test_of_no_frames_and_of_no_tokens_nothing_is_said() -> None:
    assert best_path(np.zeros((0, 3)), 0) == []
    assert align(np.zeros((4, 3)), [], 0) == []
