"""No figure lies outside its own interval, whatever the metric and its bias on resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from multigraft.evaluation.statistics import interval_of, intervals, measured, metric_draws
from multigraft.models.tasks.class_scores import macro_scores
from multigraft.models.tasks.label_set_scores import mean_average_precision, set_scores
from multigraft.models.tasks.number_scores import number_scores, quantile_scores
from multigraft.runtime.answers.label_maps.areas import area_metrics
from multigraft.runtime.answers.text_scores.bleu import bleu_counts, corpus_bleu
from multigraft.runtime.answers.text_scores.chrf import chrf_counts, corpus_chrf
from multigraft.runtime.answers.text_scores.error_rate import error_rate

Kept = Mapping[str, np.ndarray]
Scores = Callable[[Kept], Mapping[str, float]]
WORDS = "a warm coat of wool that is red and old for rain".split()


@dataclass(frozen=True)
class Metric:
    """What is kept of rows, and the metrics of it."""

    kept: Callable[[np.random.Generator, int], dict[str, np.ndarray]]
    scores: Scores

    def summarise(self, kept: Kept) -> Mapping[str, float]:
        return self.scores(kept)


def classes(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    target = rng.choice(8, rows, p=[0.6, 0.2, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02])
    return {"target": target, "answer": np.where(rng.random(rows) < 0.7, target, 0)}


def label_sets(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    held = rng.random((rows, 5)) < [0.5, 0.3, 0.1, 0.05, 0.02]
    return {"held": held, "scores": np.clip(held * 0.4 + rng.random((rows, 5)) * 0.6, 0, 1)}


def numbers(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    wanted = rng.lognormal(0, 1.5, (rows, 2))
    levels = np.sort(wanted[..., None] + rng.normal(0, 1, (rows, 2, 3)), axis=-1)
    return {"wanted": wanted, "levels": levels}


def texts(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    pairs = [
        [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(2)] for _ in range(rows)
    ]
    return {
        "bleu": np.stack([bleu_counts(*pair) for pair in pairs]),
        "chrf": np.stack([chrf_counts(*pair) for pair in pairs]),
        "edits": rng.integers(0, 4, (rows, 4)),
    }


def maps(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    shared = rng.integers(0, 50, (rows, 6)) * (rng.random((rows, 6)) < 0.3)
    areas = [shared, *(shared + rng.integers(0, 9, (rows, 6)) for _ in range(2))]
    return {"areas": np.stack(areas, axis=1)}


KINDS = {
    "classes": Metric(classes, lambda kept: macro_scores(kept["answer"], kept["target"], 8)),
    "label sets": Metric(
        label_sets,
        lambda kept: {
            **set_scores(kept["scores"] > 0.5, kept["held"]),
            "map": mean_average_precision(kept["scores"], kept["held"]),
        },
    ),
    "numbers": Metric(
        numbers,
        lambda kept: {
            **number_scores(kept["levels"][..., 1], kept["wanted"]),
            **quantile_scores(kept["levels"], kept["wanted"], np.array([0.1, 0.5, 0.9])),
        },
    ),
    "texts": Metric(
        texts,
        lambda kept: {
            "bleu": corpus_bleu(kept["bleu"].sum(0)),
            "chrf": corpus_chrf(kept["chrf"].sum(0)),
            "wer": error_rate(kept["edits"].sum(0)),
        },
    ),
    "maps": Metric(maps, lambda kept: area_metrics(kept["areas"].sum(0), list("abcdef"))),
    "extremes": Metric(
        lambda rng, rows: {"x": rng.normal(size=rows)},
        lambda kept: {"most": float(kept["x"].max()), "least": float(kept["x"].min())},
    ),
}


@pytest.mark.parametrize("rows", [3, 12, 80])
@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_lies_in_its_interval(kind: str, rows: int) -> None:
    metric = KINDS[kind]
    for seed in range(6):
        kept = metric.kept(np.random.default_rng(seed), rows)
        found = intervals(metric, kept, count=60, confidence=0.9, seed=seed)
        for name, measure in found.items():
            assert measure.low is not None, name
            assert measure.high is not None, name
            assert measure.low <= measure.value <= measure.high, name


def test_a_figure_beside_all_of_its_resamples_lies_in_its_interval() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        draws = rng.normal(rng.uniform(-2, 2), rng.uniform(0, 1), 50)
        value = float(rng.uniform(-2, 2))
        low, high = interval_of(value, draws, 0.95)
        assert low <= value <= high


def test_the_interval_is_moved_by_the_bias_and_not_widened() -> None:
    draws = np.random.default_rng(0).normal(5, 1, 4000)
    low, high = interval_of(2.0, draws, 0.95)
    assert (low, high) == pytest.approx((2 - 1.96, 2 + 1.96), abs=0.1)


def test_a_metric_that_resamples_lack_has_an_interval_of_the_others_or_none() -> None:
    class Rare:
        def summarise(self, kept: Kept) -> dict[str, float]:
            rare = kept["rare"] > 0
            return {"rare": float(kept["x"][rare].mean())} if rare.any() else {}

    kept = {"rare": np.arange(30) < 3, "x": np.linspace(0, 1, 30)}
    draws = metric_draws(Rare(), kept, count=300, seed=0)["rare"]
    assert 0 < np.isnan(draws).sum() < 40
    assert measured(0.03, draws, 0.95).low is not None
    assert measured(0.03, np.where(np.arange(300) < 140, draws, np.nan), 0.95).low is None
    assert measured(float("nan"), draws, 0.95).low is None
    assert measured(0.5, np.empty(0), 0.95).low is None
