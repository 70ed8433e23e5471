from __future__ import annotations

import numpy as np
import pytest

from multigraft_speech.masking import mask_spans, sample_negatives


def spans(lengths: list[int], *, share: float = 0.65, span: int = 10, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return mask_spans(np.array(lengths), max(lengths), share=share, span=span, rng=rng)


def test_hides_real_frames_only() -> None:
    lengths = [200, 50, 12, 5]
    for seed in range(20):
        mask = spans(lengths, seed=seed)
        for row, length in zip(mask, lengths, strict=True):
            assert not row[length:].any()
            assert 2 <= row.sum() <= length


def test_too_short_a_row_hides_nothing() -> None:
    assert spans([3, 40]).sum(1)[0] == 0


def test_hides_about_its_share() -> None:
    shares = [spans([1000], share=0.65, seed=seed).mean() for seed in range(50)]
    # what overlap leaves of 0.65
    assert np.mean(shares) == pytest.approx(1 - np.exp(-0.65), abs=0.03)


def test_hides_in_whole_spans() -> None:
    row = spans([400], share=0.2, span=8)[0]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    assert (edges[1::2] - edges[::2]).min() >= 8


def test_follows_its_generator() -> None:
    assert np.array_equal(spans([90, 60], seed=3), spans([90, 60], seed=3))
    assert not np.array_equal(spans([90, 60], seed=3), spans([90, 60], seed=4))


def test_distractors_are_other_hidden_frames_of_the_row() -> None:
    mask = spans([60, 30, 4, 3])
    negatives = sample_negatives(mask, 2000, np.random.default_rng(0))
    assert negatives.shape == (4, 60, 2000)
    for row, hidden in zip(negatives, mask, strict=True):
        places = set(np.flatnonzero(hidden).tolist())
        for place in places:
            assert set(row[place].tolist()) == places - {place}
        assert not row[~hidden].any()


def test_distractors_are_drawn_evenly() -> None:
    negatives = sample_negatives(np.ones((1, 5), bool), 20_000, np.random.default_rng(0))
    counts = np.bincount(negatives[0, 2], minlength=5)
    assert counts[2] == 0
    np.testing.assert_allclose(np.delete(counts, 2) / 20_000, 0.25, atol=0.02)
