"""Transferability scores: how well features of a frozen backbone fit a task's targets.

Functions of numpy arrays, without torch: features [rows, width], and what each row is of the task.
The larger a score, the better; only scores of the same rows may be compared.
"""

from __future__ import annotations

from multigraft.evaluation.transferability.evidence import logme
from multigraft.evaluation.transferability.h_score import h_score, regularised_h_score
from multigraft.evaluation.transferability.neighbours import leave_one_out
from multigraft.evaluation.transferability.probes import folds_of, logistic_probe, ridge_probe
from multigraft.evaluation.transferability.ranking import (
    halves,
    share_of_wins,
    weighted_tau,
)
from multigraft.evaluation.transferability.source_labels import leep, nce

__all__ = [
    "folds_of",
    "h_score",
    "halves",
    "leave_one_out",
    "leep",
    "logistic_probe",
    "logme",
    "nce",
    "regularised_h_score",
    "ridge_probe",
    "share_of_wins",
    "weighted_tau",
]
