"""Observers that come with the engine, written as anybody's plugin object would be."""

from multigraft.callbacks.asked import asked_for, observing
from multigraft.callbacks.stopping import EarlyStopping
from multigraft.callbacks.trackers import CSV, MLflow, TensorBoard

__all__ = ["CSV", "EarlyStopping", "MLflow", "TensorBoard", "asked_for", "observing"]
