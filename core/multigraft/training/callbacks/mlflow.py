"""MLflow tracking, in MLflow's own database or on its server, through its client."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.system.files import write_text
from multigraft.system.libraries import switch_off_reports
from multigraft.training.callbacks.points import Point
from multigraft.training.callbacks.settings import as_yaml, flat, shown

if TYPE_CHECKING:
    from multigraft.runs.run import Run

FOLDER, RUN_ID, DATABASE = "mlflow", "run_id", "mlflow.db"
LONGEST = 500
"""Characters of a parameter, which every version and kind of store takes."""
DESCRIPTION, LONGEST_NOTE = "mlflow.note.content", 4900
"""The text that is shown beside a run, and its characters.

The recipe stands there and not in a file: where files go is said by the database, which came with
the run.
"""
AT_ONCE = 100
"""Parameters or metrics in one request; MLflow takes 100 and 1,000."""


class MlflowRun:
    """A sink: one run of MLflow for one of ours, whose name for it is kept in our run's folder.

    MLflow forgets no point. So each is given to it once, and a step that is taken again with
    another result (a training that went back) stands in it twice.
    """

    def __init__(self, uri: str | None, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self._client: Any = None
        self._id = ""
        self._known: set[tuple[int, str, str]] = set()
        """Points that MLflow holds: step, name, and value as text, as NaN equals nothing."""

    def open(self, run: Run) -> None:
        """Find this run in MLflow, or make it and write the recipe down."""
        self._client = _client(self.uri or _database(run.folder))
        kept = run.folder / FOLDER / RUN_ID
        found = self._find(kept)
        if found is None:
            self._id = self._make(run)
            write_text(kept, self._id)
            self._known = set()
        else:
            self._id = found.info.run_id
            self._client.update_run(self._id, status="RUNNING")
            self._known = set(self._held(found.data.metrics))

    def rewrite(self, points: Sequence[Point]) -> None:
        """Add the points that MLflow does not hold."""
        self.append(points)

    def append(self, points: Sequence[Point]) -> None:
        """Add the points that MLflow does not hold."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        named = [Point(point.step, _name(point.name), point.value) for point in points]
        new = [
            point
            for point in named
            if (point.step, point.name, repr(point.value)) not in self._known
        ]
        metrics = [Metric(point.name, point.value, now, point.step) for point in new]
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(self._id, metrics=metrics[start : start + AT_ONCE])
        self._known |= {(point.step, point.name, repr(point.value)) for point in new}

    def figures(self, place: str, points: Sequence[Point]) -> None:
        """Add what MLflow does not hold of a report."""
        del place
        self.append(points)

    def close(self, *, finished: bool) -> None:
        """Say that the run has ended, or that it was stopped."""
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")

    def _find(self, kept: Path) -> Any:
        """MLflow's record of this run; None where it has none (any more)."""
        from mlflow.exceptions import MlflowException

        if not kept.exists():
            return None
        try:
            return self._client.get_run(kept.read_text(encoding="utf-8").strip())
        except MlflowException:
            return None

    def _make(self, run: Run) -> str:
        from mlflow.entities import Param

        (run.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        experiment = self._client.get_experiment_by_name(self.experiment)
        if experiment is not None:
            place = experiment.experiment_id
        else:
            artifacts = None if self.uri else (run.folder / FOLDER / "artifacts").resolve().as_uri()
            place = self._client.create_experiment(self.experiment, artifact_location=artifacts)
        recipe = shown(run.recipe.model_dump(mode="json"))
        note = {DESCRIPTION: f"```yaml\n{as_yaml(recipe)}"[:LONGEST_NOTE] + "\n```"}
        made: str = self._client.create_run(place, run_name=run.folder.name, tags=note).info.run_id
        params = [Param(_name(name), value[:LONGEST]) for name, value in flat(recipe)]
        for start in range(0, len(params), AT_ONCE):
            self._client.log_batch(made, params=params[start : start + AT_ONCE])
        return made

    def _held(self, names: Sequence[str]) -> Iterator[tuple[int, str, str]]:
        for name in names:
            for metric in self._client.get_metric_history(self._id, name):
                yield metric.step, name, repr(metric.value)


def _client(uri: str) -> Any:
    """A client that tells nobody of its use unless the person asked for that."""
    switch_off_reports()
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell of every table they make
    return MlflowClient(tracking_uri=uri)


def _database(folder: Path) -> str:
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / FOLDER / DATABASE).resolve()}"


def _name(name: str) -> str:
    """A name in the letters that MLflow allows."""
    return re.sub(r"[^\w./ -]", "_", name)
