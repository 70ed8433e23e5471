"""Probe a backbone that is pretrained: how much it knows before any of it is finetuned."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from multigraft.contracts.readers import read_row
from multigraft.data import LabelledRows, SomeRows, plan_batches
from multigraft.data.labelled_rows import labelled_rows
from multigraft.errors import DataError
from multigraft.models.modes import evaluating
from multigraft.runs.run import Run
from multigraft.system.compute.processes import ALONE, World
from multigraft.training.forward import replay_setting, why
from multigraft.training.replay import pooled, tensors

log = logging.getLogger("multigraft")


@dataclass(frozen=True)
class Probe:
    """Correct answers of a probe, held-out row by row: [N] of 0 and 1."""

    neighbours: np.ndarray
    linear: np.ndarray

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """By the names of the metrics that are their means."""
        return {"knn_accuracy": self.neighbours, "linear_probe_accuracy": self.linear}


def pooled_features(run: Run, rows: SomeRows) -> np.ndarray:
    """[N, D] of `Features.pooled`, in the rows' order; rows are read without views and masks.

    They are kept in the machine's cache, where a linear probe of the same weights finds them.
    """
    run.graft.eval()
    try:
        return pooled(replay_setting(run), rows)
    except Exception as error:
        log.info("the pooled features are not kept: %s", why(error))
        return computed_features(run, rows)


def computed_features(run: Run, rows: SomeRows, world: World = ALONE) -> np.ndarray:
    """The same of the weights as they are now, a share by each process of ``world``."""
    batches = plan_batches(
        rows.lengths, size=run.reading()["batch_size"], seed=0, epoch=0, shuffle=False
    )
    device = next(run.graft.parameters()).device
    names = read_row(run.reader, rows.raw(0)).keys()
    parts = []
    with evaluating(run.graft.backbone), torch.inference_mode():
        for batch in world.share(batches):
            read = [rows.fetch(index, names) for index in batch.tolist()]
            parts.append(
                run.graft.backbone(tensors(read, run.reader, device)).pooled.float().cpu().numpy()
            )
    shares = world.gather(parts)
    found = [shares[number % world.size][number // world.size] for number in range(len(batches))]
    features: np.ndarray = np.concatenate(found)[np.argsort(np.concatenate(batches))]
    return features


def validation_probe(run: Run) -> dict[str, float]:
    """What k-NN and a linear probe on the features of labelled training rows answer right of the
    validation's, by the weights as they are now; empty where the recipe does not ask.

    Labels meet features here alone: nothing that learns, draws or chooses weights reads them.
    """
    settings = run.recipe.evaluation
    if settings.probe is None:
        return {}
    known, asked = _known(run), labelled_rows(run.rows["validation"])
    if known is None or asked is None:  # `check_probe` refuses such a run
        return {}
    features = [computed_features(run, each.rows, run.world) for each in (known, asked)]
    if not run.world.leads:
        return run.world.agree({})
    right = probe(
        features[0], known.labels, features[1], asked.labels, neighbours=settings.neighbours
    )
    return run.world.agree({name: float(values.mean()) for name, values in right.scores.items()})


def check_probe(run: Run) -> None:
    """Raise DataError where a run is to be probed and its rows do not have the labels for it."""
    if run.recipe.evaluation.probe is None:
        return
    if "validation" not in run.rows:
        raise DataError(
            "evaluation.probe scores the validation rows, and there are none: give "
            "data.validation or a share in data.split, or unset it"
        )
    known, asked = _known(run), labelled_rows(run.rows["validation"], most=1)
    for split, found in (("train", known), ("validation", asked)):
        if found is None:
            raise DataError(
                f"{split}: no row has a label in a column 'label', and evaluation.probe scores the "
                "features by labels; name the column with data.columns: {label: ...}, or unset "
                "evaluation.probe"
            )
    if known is not None and len(set(known.labels)) < 2:
        raise DataError(
            f"train: all labels that are drawn for evaluation.probe are {known.labels[0]!r}; two "
            "or more are needed: raise it, or unset it"
        )


def _known(run: Run) -> LabelledRows | None:
    """The training rows by which features are scored, the same at each validation."""
    most, seed = run.recipe.evaluation.probe, run.recipe.seed
    return labelled_rows(run.rows["train"], most=most, seed=seed)


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
