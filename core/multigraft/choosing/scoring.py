"""Choose a backbone before training: score each one's frozen features of the same rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from multigraft.api import Fields, Source, raw_recipe
from multigraft.choosing.candidates import Among, Candidate, candidates
from multigraft.choosing.frozen import Cost, cost_of, features_of, frozen_run, looked_at
from multigraft.choosing.ranking import BackboneRanking, ScoredBackbone
from multigraft.choosing.scores import FITTED, SCORES, OnRows, Sample, scores_of
from multigraft.choosing.source_head import source_probabilities
from multigraft.choosing.targets import targets_of
from multigraft.contracts.display import UNSEEN, Display
from multigraft.data.given import without_rows
from multigraft.data.row_identities import row_identities
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError, did_you_mean
from multigraft.evaluation.transferability import halves, share_of_wins
from multigraft.plugins.catalog import Catalog
from multigraft.training.callbacks.progress import usual_progress

ROWS = 1000
USUAL = "linear_probe"
"""Defined wherever any score is, and it ranks as well as any on our sets (docs/choosing.md)."""
FEWEST = 20
DRAWS, FITTED_DRAWS = 1000, 100
"""Half-samples on which the ranking is made again; of a score that is `FITTED` to each of them."""


@dataclass(frozen=True)
class _Scored:
    """A backbone, and its scores as functions of rows."""

    name: str
    identities: np.ndarray
    scores: Mapping[str, OnRows]
    sample: Sample
    cost: Cost
    seconds: float


def choose(
    recipe: Source | None = None,
    *,
    among: Among,
    by: str | None = None,
    rows: int = ROWS,
    plugins: Sequence[object] = (),
    quiet: bool = False,
    display: Display | None = None,
    **fields: Unpack[Fields],
) -> BackboneRanking:
    """Rank backbones by how well their frozen features fit a recipe's task, without training any.

    ``among`` are two or more, as a recipe's ``backbone`` says one, also as text (``NAME=WEIGHTS``),
    in a list or by names of your own; the recipe, given as to `finetune`, needs none itself.
    ``rows`` of its training rows, at most, are drawn with its seed and in the labels' shares; those
    held out are not looked at. ``by`` is the score that ranks, `linear_probe` unless given. What a
    backbone gives for a row is kept in the machine's cache. Raises RecipeError, also for a task
    whose targets have no score, and DataError.
    """
    began = time.perf_counter()
    raw, given = without_rows(raw_recipe(recipe, fields)[0])
    catalog = Engine(plugins).catalog
    wanted = _known(by or USUAL)
    found = candidates(raw, among, catalog, rows=rows)
    shown = display or (None if quiet else usual_progress()) or UNSEEN
    with shown:
        scored = [_scored(each, catalog, given, shown) for each in found]
        _check_same(scored)
        if missing := [each.name for each in scored if wanted not in each.scores]:
            raise RecipeError([_undefined(wanted, missing, scored)])
        shown.begin(f"ranking by {SCORES[wanted]} on half-samples")
        firsts = _firsts(scored, wanted, found[0].resolved.recipe.seed)
    backbones = [_line(each, first) for each, first in zip(scored, firsts, strict=True)]
    return BackboneRanking(
        task=found[0].resolved.task.name,
        by=wanted,
        rows=len(scored[0].identities),
        seed=found[0].resolved.recipe.seed,
        draws=_draws(wanted),
        seconds=time.perf_counter() - began,
        backbones=tuple(sorted(backbones, key=lambda each: _better(each, wanted))),
    )


def _better(each: ScoredBackbone, wanted: str) -> tuple[float, float]:
    """What is least for the best: of equal accuracies the larger LogME comes first."""
    return -each.scores[wanted], -each.scores["logme"]


def _draws(score: str) -> int:
    return FITTED_DRAWS if score in FITTED else DRAWS


def _known(name: str) -> str:
    """The name of a score. Raises RecipeError for another."""
    if name not in SCORES:
        raise RecipeError([f"by: no score is called {name!r}; {did_you_mean(name, SCORES)}"])
    return name


def _scored(
    candidate: Candidate, catalog: Catalog, given: Mapping[str, Any], shown: Display
) -> _Scored:
    """One backbone's features of the sample, and what can be scored of them."""
    began, recipe = time.perf_counter(), candidate.resolved.recipe
    shown.begin(f"scoring {candidate.name}")
    with looked_at(candidate.resolved, given) as (resolved, folder):
        run = frozen_run(resolved, catalog, folder)
        rows = run.rows["train"]
        if len(rows) < FEWEST:
            raise DataError(f"{rows.table.name}: {len(rows)} rows; {FEWEST} are needed at least")
        features = features_of(run, rows)
        targets = targets_of(rows, run.resolved.task)
        sample = Sample(features, targets, source_probabilities(run, features))
        identities = row_identities(rows, run.resolved.task)
        cost = cost_of(run, rows)
    scores = scores_of(sample, neighbours=recipe.evaluation.neighbours, seed=recipe.seed)
    return _Scored(candidate.name, identities, scores, sample, cost, time.perf_counter() - began)


def _check_same(scored: Sequence[_Scored]) -> None:
    """Raise DataError where backbones could not read the same rows."""
    for each in scored[1:]:
        if not np.array_equal(each.identities, scored[0].identities):
            raise DataError(
                f"{each.name} reads other rows than {scored[0].name} "
                f"({len(each.identities)} and {len(scored[0].identities)}): some are bad rows to "
                "one of them; correct them, or leave them out of the file"
            )


def _undefined(wanted: str, missing: Sequence[str], scored: Sequence[_Scored]) -> str:
    everywhere = [name for name in SCORES if all(name in each.scores for each in scored)]
    why = (
        "their weights bring no classifier along"
        if wanted in ("leep", "nce")
        else "it is one of labels"
    )
    return (
        f"by: {SCORES[wanted]} is not defined of {', '.join(missing)}: {why}; allowed: "
        f"{', '.join(everywhere)}"
    )


def _firsts(scored: Sequence[_Scored], wanted: str, seed: int) -> np.ndarray:
    """[backbones]: in which share of half-samples, the same for all, each is the first."""
    rows = len(scored[0].identities)
    drawn = halves(rows, count=_draws(wanted), seed=seed)
    return share_of_wins(
        np.array([[each.scores[wanted](half) for each in scored] for half in drawn])
    )


def _line(scored: _Scored, first: float) -> ScoredBackbone:
    every = np.arange(len(scored.identities))
    source = scored.sample.source
    return ScoredBackbone(
        name=scored.name,
        scores={name: score(every) for name, score in scored.scores.items()},
        first=float(first),
        classes=None if source is None else source.shape[1],
        width=scored.sample.features.shape[1],
        parameters=scored.cost.parameters,
        milliseconds=scored.cost.milliseconds,
        megabytes=scored.cost.megabytes,
        seconds=scored.seconds,
    )
