"""Probe a pretrained backbone: how much it knows before any of it is finetuned."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from multigraft.contracts.readers import read_row
from multigraft.data import Rows, plan_batches
from multigraft.runs.run import Run
from multigraft.training.forward import replay_setting, why
from multigraft.training.replay import pooled, tensors

log = logging.getLogger("multigraft")


@dataclass(frozen=True)
class Probe:
    """Correct answers of a probe, held-out row by row: [N] of 0 and 1."""

    neighbours: np.ndarray
    linear: np.ndarray


def pooled_features(run: Run, rows: Rows) -> np.ndarray:
    """[N, D] of `Features.pooled`, in the rows' order; rows are read without views and masks.

    They are kept in the machine's cache, where a linear probe of the same weights finds them.
    """
    run.graft.eval()
    try:
        return pooled(replay_setting(run), rows)
    except Exception as error:
        log.info("the pooled features are not kept: %s", why(error))
        return _computed(run, rows)


def _computed(run: Run, rows: Rows) -> np.ndarray:
    batches = plan_batches(
        rows.lengths, size=run.reading()["batch_size"], seed=0, epoch=0, shuffle=False
    )
    device = next(run.graft.parameters()).device
    names = read_row(run.reader, rows.raw(0)).keys()
    parts = []
    with torch.inference_mode():
        for batch in batches:
            read = [rows.fetch(index, names) for index in batch.tolist()]
            parts.append(
                run.graft.backbone(tensors(read, run.reader, device)).pooled.float().cpu().numpy()
            )
    features: np.ndarray = np.concatenate(parts)[np.argsort(np.concatenate(batches))]
    return features


def probe(
    known: np.ndarray,
    known_labels: Sequence[str],
    asked: np.ndarray,
    asked_labels: Sequence[str],
    *,
    neighbours: int,
) -> Probe:
    """k-nearest-neighbour and linear answers from features: [N, D] known, [M, D] asked.

    Neighbours are by cosine, as in Wu et al. 2018; the linear probe is a logistic regression on
    standardised features (Alain & Bengio 2016).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    nearest = KNeighborsClassifier(min(neighbours, len(known)), metric="cosine").fit(
        known, known_labels
    )
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        # 200 iterations rank backbones well enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear.fit(known, known_labels)
    truth = np.asarray(asked_labels)
    return Probe(
        neighbours=(nearest.predict(asked) == truth).astype(np.float64),
        linear=(linear.predict(asked) == truth).astype(np.float64),
    )
