"""Observers that come with the engine, written as anybody's plugin object would be."""

from __future__ import annotations

from multigraft.training.callbacks import CSV, EarlyStopping, MLflow, TensorBoard

__all__ = ["CSV", "EarlyStopping", "MLflow", "TensorBoard"]
