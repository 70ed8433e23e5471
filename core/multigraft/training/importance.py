"""Importance weighting: each training row counts as in another domain (Shimodaira 2000)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from multigraft.contracts.reader import MixingAugment
from multigraft.data import ChosenRows, Rows
from multigraft.errors import RecipeError
from multigraft.evaluation.domain_shift import density_ratio, effective_rows
from multigraft.runs.unlabelled import unlabelled_rows
from multigraft.system.compute.device import choose_device
from multigraft.system.files import new_file
from multigraft.training.probe import pooled_features

if TYPE_CHECKING:
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")
WEIGHTS = "row-weights.npy"
"""In the run's folder: a run that goes on, or that learned from them, has those it began with."""


def weigh_rows(run: Run) -> list[str]:
    """Give the run the weights of its training rows, where its recipe asks for some; what a report
    says of them. Raises RecipeError where a batch is no longer made of whole rows."""
    if run.recipe.data.importance is None:
        return []
    _check(run)
    file = run.folder / WEIGHTS
    if run.world.leads and not file.exists():
        found = _weights(run)
        with new_file(file) as opened:
            np.save(opened, found)
    run.world.wait()
    run.row_weights = np.load(file, allow_pickle=False)
    return [_told(run.row_weights, str(run.recipe.data.importance.toward))]


def _check(run: Run) -> None:
    mixes = isinstance(run.augment, MixingAugment)
    if mixes or run.recipe.training.packing is not None:
        what = "mixes rows" if mixes else "joins rows"
        field = "training.augment" if mixes else "training.packing"
        problem = f"data.importance: {field} {what}, so none has a weight; unset one of them"
        raise RecipeError([problem])


def _weights(run: Run) -> np.ndarray:
    """[training rows], by the backbone as it begins."""
    asked = run.recipe.data.importance
    assert asked is not None
    seed = run.recipe.seed
    run.graft.to(choose_device())
    toward = _some(unlabelled_rows(run, asked.toward, "importance"), asked.limit, seed)
    features = [pooled_features(run, rows) for rows in (run.rows["train"], toward)]
    return density_ratio(features[0], features[1], clip=asked.clip, seed=seed)


def _some(rows: Rows, most: int, seed: int) -> ChosenRows:
    numbers = np.random.default_rng(seed).permutation(len(rows))[:most]
    return ChosenRows(rows, np.sort(numbers))


def _told(weights: np.ndarray, toward: str) -> str:
    worth = effective_rows(weights)
    told = (
        f"rows count by their importance toward {toward}, from {weights.min():.3g} to "
        f"{weights.max():.3g}: {len(weights):,} rows are worth {worth:,.0f} equal ones"
    )
    log.info("%s", told)
    return told
