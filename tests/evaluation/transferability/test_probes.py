"""Cross-validated probes answer each row without having learned from it."""

from __future__ import annotations

import numpy as np
import pytest

from multigraft.evaluation.transferability import folds_of, logistic_probe, probes, ridge_probe


def test_folds_have_the_labels_in_their_shares() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    fold = folds_of(labels, 100, seed=0)
    counts = np.array([np.bincount(labels[fold == each]) for each in range(5)])
    assert counts.tolist() == [[10, 6, 4]] * 5
    assert (fold == folds_of(labels, 100, seed=0)).all()
    assert (fold != folds_of(labels, 100, seed=1)).any()


def test_the_ridge_probe_is_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    monkeypatch.setattr(probes, "RIDGES", (0.3,))
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(50, 8)) * np.arange(1, 9), rng.normal(size=(50, 2))
    fold = folds_of(None, 50, seed=0)
    found = ridge_probe(features, targets, fold)
    for number in range(5):
        train, test = fold != number, fold == number
        model = make_pipeline(StandardScaler(), Ridge(alpha=0.3 * train.sum()))
        expected = model.fit(features[train], targets[train]).predict(features[test])
        np.testing.assert_allclose(found[test], expected, atol=1e-9)


@pytest.mark.parametrize("width", [4, 60])
def test_the_logistic_probe_is_scikit_learns_also_where_features_outnumber_rows(width: int) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 50)
    features = rng.normal(size=(50, width)) + np.eye(3)[labels] @ rng.normal(size=(3, width))
    fold = folds_of(labels, 50, seed=0)
    found = logistic_probe(features, labels, fold, strengths=(0.1,))
    for number in range(5):
        train, test = fold != number, fold == number
        model = LogisticRegression(C=1 / (0.1 * train.sum()), max_iter=2000, tol=1e-8)
        pipeline = make_pipeline(StandardScaler(), model).fit(features[train], labels[train])
        expected = pipeline.predict_proba(features[test])
        np.testing.assert_allclose(found[test], expected, atol=1e-3)


def test_probes_find_no_more_than_chance_in_noise() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(200, 100)), rng.integers(0, 2, 200)
    fold = folds_of(labels, 200, seed=0)
    right = logistic_probe(features, labels, fold).argmax(1) == labels
    assert 0.4 < right.mean() < 0.6
    answered = ridge_probe(features, np.eye(2)[labels], fold)
    assert 0.4 < (answered.argmax(1) == labels).mean() < 0.6


def test_probes_find_what_is_there_whatever_its_scale() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 150)
    features = 1e-3 * (3 * np.eye(3)[labels] + rng.normal(size=(150, 3))) + 7
    features = np.concatenate([features, np.full((150, 1), 5.0)], axis=1)  # one never differs
    fold = folds_of(labels, 150, seed=0)
    answered = logistic_probe(features, labels, fold)
    assert (answered.argmax(1) == labels).mean() > 0.85
    np.testing.assert_allclose(answered.sum(1), 1)


def test_a_label_that_a_fold_never_saw_has_no_share() -> None:
    labels = np.array([0] * 9 + [1])
    fold = np.arange(10) % 5
    answered = logistic_probe(np.random.default_rng(0).normal(size=(10, 2)), labels, fold)
    assert answered[9].tolist() == [1, 0]
