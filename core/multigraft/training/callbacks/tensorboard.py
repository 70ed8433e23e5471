"""TensorBoard event files, through torch's own writer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.training.callbacks.points import Point
from multigraft.training.callbacks.settings import as_yaml, shown

if TYPE_CHECKING:
    from multigraft.runs.run import Run


class EventFiles:
    """A sink: one event file for the training, and one for each kind of report."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._place = Path()
        self._mark = ""
        """In the names of this run's files, so that those of others are left alone."""
        self._recipe = ""
        self._writer: Any = None

    def open(self, run: Run) -> None:
        """Find the folder."""
        self._place = (
            run.folder / "tensorboard" if self.folder is None else self.folder / run.folder.name
        )
        self._mark = hashlib.sha256(str(run.folder.resolve()).encode()).hexdigest()[:8]
        self._recipe = as_yaml(shown(run.recipe.model_dump(mode="json")))

    def rewrite(self, points: Sequence[Point]) -> None:
        """Begin the training's file anew; points in the old one keep their time of day."""
        self.close(finished=False)
        times = self._times()
        self._writer = self._new("train")
        self._writer.add_text("recipe", f"```yaml\n{self._recipe}```")
        for step, name, value in points:
            self._writer.add_scalar(name, value, step, walltime=times.get((step, name)))
        self._writer.flush()

    def append(self, points: Sequence[Point]) -> None:
        """Add points to the training's file."""
        for step, name, value in points:
            self._writer.add_scalar(name, value, step)

    def figures(self, place: str, points: Sequence[Point]) -> None:
        """Begin the report's file anew."""
        writer = self._new(place.replace("/", "-"))
        for step, name, value in points:
            writer.add_scalar(name, value, step)
        writer.close()

    def close(self, *, finished: bool) -> None:
        """Close the training's file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _new(self, kind: str) -> Any:
        """A writer whose file takes the place of the run's earlier one of that kind."""
        from torch.utils.tensorboard import SummaryWriter

        for path in self._files(kind):
            path.unlink()
        return SummaryWriter(str(self._place), filename_suffix=f".{self._mark}.{kind}")

    def _files(self, kind: str) -> list[Path]:
        return sorted(self._place.glob(f"events.out.tfevents.*.{self._mark}.{kind}"))

    def _times(self) -> dict[tuple[int, str], float]:
        """When each point of the training's file was written."""
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

        return {
            (event.step, value.tag): event.wall_time
            for path in self._files("train")
            for event in LegacyEventFileLoader(str(path)).Load()
            for value in event.summary.value
        }
