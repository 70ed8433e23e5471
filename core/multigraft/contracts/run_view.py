"""A hook's view of a run: what a plugin may read of a training, and the little it may set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.report import Report


class RunView(Protocol):
    """View of a run that `multigraft.Run` promises to hooks, complete before a verb is called."""

    folder: Path
    recipe: Any
    """The frozen recipe, with the fields of `multigraft recipe`."""
    reader: Reader
    objective: Objective
    graft: nn.Module
    """The backbone with its head."""
    rows: Mapping[str, Any]
    """The readable rows of ``train``, and of ``validation`` and ``test`` where there are any."""
    facts: dict[str, Any]
    """What `run.json` holds; add to it with `record`."""
    total_steps: int
    """Optimizer steps in the whole training; known once it begins."""
    history: list[dict[str, Any]]
    """One entry a finished epoch: ``epoch``, ``step``, ``metrics``."""
    stop: str | None
    """Set it to a reason, and training ends after the step."""
    report: Report | None
    """The newest answer of a verb."""

    @property
    def metrics_file(self) -> Path:
        """One JSON line for each logged step and each validation."""
        ...

    def held_out(self) -> str:
        """The split that evaluation uses: the recipe's, else the nearest there is."""
        ...

    def evaluate(self) -> Report:
        """Measure the trained model on its held-out rows."""
        ...

    def export(self) -> Report:
        """Write the bundle; ``report.files["bundle"]`` is its folder."""
        ...

    def record(self, **facts: Any) -> None:
        """Add facts to run.json."""
        ...
