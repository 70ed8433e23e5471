"""Built-in callbacks: observers of the engine, written as any plugin object would be."""

from multigraft.training.callbacks.from_recipe import asked_for, observing
from multigraft.training.callbacks.progress import Progress
from multigraft.training.callbacks.stopping import EarlyStopping
from multigraft.training.callbacks.trackers import CSV, MLflow, TensorBoard

__all__ = ["CSV", "EarlyStopping", "MLflow", "Progress", "TensorBoard", "asked_for", "observing"]
