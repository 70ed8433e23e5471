"""Built-in callbacks: observers of the engine, written as any plugin object would be."""

from __future__ import annotations

from multigraft.training.callbacks import CSV, EarlyStopping, MLflow, Progress, TensorBoard

__all__ = ["CSV", "EarlyStopping", "MLflow", "Progress", "TensorBoard"]
