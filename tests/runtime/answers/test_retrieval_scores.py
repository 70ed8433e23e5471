"""Ranks and what is made of them, beside scikit-learn and a plain count."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

from multigraft.contracts.answers import Window
from multigraft.runtime.answers.embedding import CANDIDATE, CANDIDATE_ID, VALUE_ID, Embedding
from multigraft.runtime.answers.retrieval_scores import (
    MEASURES,
    chance_gain,
    rank_scores,
    ranks,
    retrieval_scores,
)

CASES = 500


def unit(rng: np.random.Generator, rows: int, width: int = 6) -> np.ndarray:
    found: np.ndarray = rng.normal(size=(rows, width))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def drawn(seed: int, *, several: bool) -> tuple[np.ndarray, ...]:
    """Vectors and numbers of rows; with several candidates a value, and several rows of one."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(12, 40))
    values, candidates = unit(rng, rows), unit(rng, rows)
    if not several:
        return values, candidates, np.arange(rows), 1000 + np.arange(rows)
    asked, wanted = rng.integers(0, rows // 2, rows), rng.integers(0, rows // 2, rows)
    return values[asked], candidates[wanted], asked, 1000 + wanted


def cosines_of(case: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Of each row's value to each different candidate, and which of them are relevant."""
    values, candidates, asked, wanted = case
    different, first = np.unique(wanted, return_index=True)
    cosines = values.astype(np.float64) @ candidates[first].astype(np.float64).T
    relevant = np.array(
        [[((asked == one) & (wanted == other)).any() for other in different] for one in asked]
    )
    return cosines, relevant


@pytest.mark.parametrize("several", [False, True], ids=["one-relevant", "several-relevant"])
def test_the_measures_are_scikit_learns(several: bool) -> None:
    for seed in range(CASES):
        case = drawn(seed, several=several)
        cosines, relevant = cosines_of(case)
        found = {name: values.mean() for name, values in retrieval_scores(*case).items()}
        assert found.keys() == set(MEASURES)
        assert found["ndcg_at_10"] == pytest.approx(ndcg_score(relevant, cosines, k=10), abs=1e-6)
        order = np.argsort(-cosines, axis=1)
        sorted_relevant = np.take_along_axis(relevant, order, axis=1)
        for depth in (1, 5, 10):
            shares = sorted_relevant[:, :depth].sum(1) / relevant.sum(1)
            assert found[f"recall_at_{depth}"] == pytest.approx(shares.mean(), abs=1e-6)
        if several:
            first = 1 / (sorted_relevant.argmax(1) + 1)
            assert found["mrr"] == pytest.approx(first.mean(), abs=1e-6)
            continue
        precision = label_ranking_average_precision_score(relevant, cosines)
        assert found["mrr"] == pytest.approx(precision, abs=1e-6)
        own = relevant.argmax(1)
        five = top_k_accuracy_score(own, cosines, k=5, labels=np.arange(cosines.shape[1]))
        assert found["recall_at_5"] == pytest.approx(five, abs=1e-6)


def test_equal_embeddings_find_nothing() -> None:
    same = np.tile(unit(np.random.default_rng(0), 1), (20, 1))
    found = retrieval_scores(same, same, np.arange(20), 100 + np.arange(20))
    assert found["recall_at_10"].tolist() == [0.0] * 20
    assert found["mrr"].tolist() == [1 / 20] * 20


def test_a_value_is_no_candidate_of_its_own() -> None:
    east, north, west = np.eye(3, dtype=np.float32)
    values = np.stack([east, north])
    candidates = np.stack([west, east])  # the second row's candidate is the first row's value
    found = retrieval_scores(values, candidates, np.array([1, 2]), np.array([3, 1]))
    assert found["recall_at_1"].tolist() == [1.0, 0.0]
    relevant = retrieval_scores(values[:1], values[:1], np.array([1]), np.array([1]))
    assert relevant["recall_at_1"].tolist() == [1.0]


def test_ranks_by_hand() -> None:
    assert ranks(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 3])).tolist() == [2, 4]
    found = rank_scores(np.array([2, 4]))
    gains = 1 / np.log2(3) + 1 / np.log2(5)
    assert found["ndcg_at_10"] == pytest.approx(gains / (1 + 1 / np.log2(3)))
    assert found["recall_at_1"] == 0.0
    assert rank_scores(np.array([11]))["ndcg_at_10"] == 0.0


def test_many_rows_are_ranked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    case = drawn(3, several=True)
    whole = retrieval_scores(*case)
    monkeypatch.setattr("multigraft.runtime.answers.retrieval_scores.BLOCK", 7)
    for name, values in retrieval_scores(*case).items():
        assert values == pytest.approx(whole[name])


@pytest.mark.parametrize("candidates", [1, 4, 30])
def test_chance_is_what_random_orders_give(candidates: int) -> None:
    drawn = [rank_scores(np.array([rank]))["ndcg_at_10"] for rank in range(1, candidates + 1)]
    assert chance_gain(candidates) == pytest.approx(np.mean(drawn))


def test_vectors_are_let_go_before_any_resample() -> None:
    answers, rng = Embedding({}), np.random.default_rng(1)
    made = [answers.answer("a", [Window({}, {"embedding": each})], {}) for each in unit(rng, 8)]
    answered = {"answered": np.stack([answers.score(each, {})["answered"] for each in made])}
    kept = {
        **answered,
        CANDIDATE: answered["answered"],
        VALUE_ID: np.arange(8),
        CANDIDATE_ID: np.arange(8) + 100,
    }
    found = {**kept, **answers.together(kept)}
    assert answers.summarise(found)["recall_at_1"] == 1.0
    assert found["answered"].size == found[CANDIDATE].size == 0
    alone = {**answered, **answers.together(answered)}
    assert answers.summarise(alone) == {}
