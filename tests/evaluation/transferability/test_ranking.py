"""Rankings: published correlations come out, and half-samples vary as resamples do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from multigraft.evaluation.transferability import halves, share_of_wins, weighted_tau

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))["sets"]
"""Five sets whose printed scores bear out the weighted tau that is printed beside them."""


@pytest.mark.parametrize("data", PUBLISHED)
@pytest.mark.parametrize("score", ["H-score", "LEEP", "LogME", "NCE"])
def test_weighted_tau_is_the_published_one(data: str, score: str) -> None:
    printed, measured = PUBLISHED[data]["scores"][score], PUBLISHED[data]["accuracy"]
    found = {round(weighted_tau(each, measured), 3) for each in _unrounded(printed["values"])}
    assert printed["tau"] in found
    assert len(found) <= 2, "only where printed scores are tied"


def _unrounded(values: Sequence[float]) -> list[np.ndarray]:
    """The scores as they are printed; of two equal ones either may have been the larger."""
    nudge = 1e-6 * np.arange(len(values))
    tied = len(set(values)) < len(values)
    return [np.array(values) + nudge, np.array(values) - nudge] if tied else [np.array(values)]


def test_weighted_tau_counts_exchanges_among_the_best_more() -> None:
    measured = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert weighted_tau(measured, measured) == pytest.approx(1)
    assert weighted_tau(measured[::-1], measured) == pytest.approx(-1)
    top, bottom = [1, 2, 3, 5, 4], [2, 1, 3, 4, 5]
    assert weighted_tau(top, measured) < weighted_tau(bottom, measured) < 1


def test_a_mean_over_halves_varies_as_over_bootstrap_resamples() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    drawn = halves(400, count=4000, seed=0)
    assert {len(np.unique(half)) for half in drawn} == {200}
    over_halves = np.std([values[half].mean() for half in drawn])
    assert over_halves == pytest.approx(values.std() / 20, rel=0.05)


def test_wins_are_shared_where_two_are_the_best() -> None:
    draws = np.array([[3.0, 1.0, 3.0], [0.0, 1.0, 0.0], [2.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    assert share_of_wins(draws).tolist() == pytest.approx([5.5 / 12, 4 / 12, 2.5 / 12])
