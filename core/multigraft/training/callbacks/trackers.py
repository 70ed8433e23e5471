"""Experiment trackers by name, and what each needs to be installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from multigraft.errors import MissingDependency
from multigraft.training.callbacks.csvfile import CsvFile
from multigraft.training.callbacks.mlflow import MlflowRun
from multigraft.training.callbacks.tensorboard import EventFiles
from multigraft.training.callbacks.tracking import Tracker


def CSV(path: str | Path | None = None) -> Tracker:
    """Keep a run's curves and figures as a table: run, step, name, value.

    In ``path``, which may hold other runs besides; unset: ``metrics.csv`` in the run's folder.
    """
    return Tracker("CSV", CsvFile(None if path is None else Path(path)))


def TensorBoard(folder: str | Path | None = None) -> Tracker:
    """Write event files for TensorBoard, the recipe as a text among them.

    In a folder of the run's name below ``folder``, so that runs stand side by side; unset:
    ``tensorboard`` in the run's folder. Raises MissingDependency.
    """
    _need("tensorboard", "TensorBoard")
    return Tracker("TensorBoard", EventFiles(None if folder is None else Path(folder)))


def MLflow(uri: str | None = None, *, experiment: str = "multigraft") -> Tracker:
    """Show a run to MLflow: its recipe as parameters and description, its curves, its figures.

    ``uri`` is a server or database as MLflow names it; a token for it comes from the environment.
    Unset: a database in the run's folder, ``mlflow ui --backend-store-uri
    sqlite:///RUN/mlflow/mlflow.db``. Raises MissingDependency.
    """
    for library in ("mlflow", *(("sqlalchemy", "alembic") if uri is None else ())):
        _need(library, "MLflow")
    return Tracker("MLflow", MlflowRun(uri, experiment))


TRACKERS: Mapping[str, Callable[[], Tracker]] = {
    "csv": CSV,
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
}
"""By the names that a recipe's ``track`` may hold."""


def tracker(name: str) -> Tracker:
    """The tracker that a recipe names. Raises MissingDependency."""
    return TRACKERS[name]()


def _need(library: str, name: str) -> None:
    if find_spec(library) is None:
        raise MissingDependency(
            f'{library} is not installed, and {name} needs it  ->  pip install "multigraft[track]"'
        )
