"""Doubtful labels of a run's rows: a linear probe on frozen features, cross-validated."""

from __future__ import annotations

import csv
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.data.chosen_rows import ChosenRows
from multigraft.data.labelled_rows import LABEL, LabelledRows, labelled_rows
from multigraft.errors import DataError, RunError, did_you_mean
from multigraft.evaluation.label_doubts import Doubts, label_doubts
from multigraft.runs.run import Run
from multigraft.system.files import write_text
from multigraft.training.probe import pooled_features

FOLDS, MOST_FOLDS = 5, 100
STRENGTH = 0.01
"""Of the penalty's inverse (C): a probe that is regularised so follows single labels little."""
COLUMNS = ("row", "given", "likely", "score", "doubted", "value")
SHOWN = 200
"""Characters of a value in the table."""


@dataclass(frozen=True)
class DoubtedRow:
    """One row, and what is said of its label."""

    row: str
    """Its place, as ``reviews.csv row 12``."""
    given: str
    likely: str
    score: float
    """0 to 1: how well the given label fits."""
    doubted: bool
    """Whether another label is confidently likelier."""
    value: str
    """How its raw value begins."""


@dataclass(frozen=True)
class LabelDoubts:
    """The rows of a split, the most doubtful label first."""

    split: str
    rows: Sequence[DoubtedRow]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Labels of fewer rows than folds, of which nothing is said, and how many rows have each."""
    agreement: float = 1.0
    """The share of rows whose given label the probe finds the most probable: where it is low, many
    doubts are mistakes of the probe."""

    @property
    def exchanged(self) -> Sequence[tuple[str, str, int]]:
        """Given label, likely label, and how many rows are doubted so, the most frequent first."""
        counts = Counter((row.given, row.likely) for row in self.doubted)
        return [(given, likely, count) for (given, likely), count in counts.most_common()]

    @property
    def doubted(self) -> Sequence[DoubtedRow]:
        """Those of which another label is confidently likelier."""
        return [row for row in self.rows if row.doubted]

    def write(self, path: str | Path) -> Path:
        """Write all rows as CSV, whole or not at all. Raises OSError."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(row, name) for name in COLUMNS] for row in self.rows)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_text(Path(path), text.getvalue())
        return Path(path)


def doubt_labels(run: Run, *, split: str = "train", folds: int = FOLDS) -> LabelDoubts:
    """Doubt the labels of a split by the features of a run's backbone.

    Each row's probabilities are those of a logistic regression that learned on the other folds,
    by labels as they are given. A backbone that was itself trained on these labels has seen them:
    ask a run whose backbone stayed frozen. Rows of a label with fewer rows than folds are left out.
    Raises DataError for fewer than two other labels, RunError for a task that learned no labels.
    """
    _check(run, split, folds)
    labelled = labelled_rows(run.rows[split])
    if labelled is None:
        raise DataError(f"{split}: no row has a label in a column 'label'")
    labelled, left_out = _of_enough_rows(labelled, folds, split)
    names, given = np.unique(labelled.labels, return_inverse=True)
    features = pooled_features(run, labelled.rows)
    probabilities = out_of_fold(features, given, folds, run.recipe.seed)
    rows = list(_rows(labelled, label_doubts(given, probabilities), names, given))
    agreement = float((probabilities.argmax(1) == given).mean())
    return LabelDoubts(split, rows, left_out, agreement)


def _check(run: Run, split: str, folds: int) -> None:
    if isinstance(folds, bool) or not isinstance(folds, int) or not 2 <= folds <= MOST_FOLDS:
        raise RunError(f"folds is {folds!r}; it should be a whole number from 2 to {MOST_FOLDS}")
    task = run.resolved.task
    if task.stage == "finetune" and LABEL not in task.columns:
        raise RunError(
            f"task {task.name!r} learned {', '.join(task.columns) or 'no column'} and no labels; "
            "doubt those of a run of classification, or of pretraining"
        )
    if split not in run.rows:
        raise RunError(f"the run has no split {split!r}; {did_you_mean(split, run.rows)}")


def _of_enough_rows(
    labelled: LabelledRows, folds: int, split: str
) -> tuple[LabelledRows, dict[str, int]]:
    """The rows whose label each fold has, and the labels of the others. Raises DataError."""
    counts = Counter(labelled.labels)
    rare = {label: count for label, count in sorted(counts.items()) if count < folds}
    if len(counts) - len(rare) < 2:
        told = ", ".join(f"{label!r} has {count}" for label, count in counts.most_common(3))
        raise DataError(
            f"{split}: {folds} folds need {folds} rows of each of at least two labels; {told}: "
            "lower the folds, or join rare labels"
        )
    kept = [place for place, label in enumerate(labelled.labels) if label not in rare]
    chosen = ChosenRows(labelled.rows.rows, labelled.rows.numbers[kept])
    return LabelledRows(chosen, [labelled.labels[place] for place in kept]), rare


def out_of_fold(features: np.ndarray, given: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """[rows, K] probabilities of each row by a probe that learned on the other folds."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=200))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found: np.ndarray = cross_val_predict(
            probe, features, given, cv=parts, method="predict_proba"
        )
    return found


def _rows(
    labelled: LabelledRows, found: Doubts, names: np.ndarray, given: np.ndarray
) -> Iterator[DoubtedRow]:
    for row in found.order.tolist():
        yield DoubtedRow(
            row=labelled.rows.rows.place(int(labelled.rows.numbers[row])),
            given=str(names[given[row]]),
            likely=str(names[found.likely[row]]),
            score=round(float(found.score[row]), 6),
            doubted=bool(found.doubted[row]),
            value=_shown(labelled.rows.raw(row)),
        )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
