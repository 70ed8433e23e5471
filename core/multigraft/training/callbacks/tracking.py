"""Show a run to a tracker: what metrics.jsonl and the reports say, and nothing else.

So a resumed run goes on in the same log: the lines that a checkpoint does not know are dropped from
metrics.jsonl and written again, and the tracker follows.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from multigraft.contracts.report import Report
from multigraft.errors import first_line
from multigraft.plugins.hookspecs import hookimpl
from multigraft.training.callbacks.points import Following, Point, place, report_points

if TYPE_CHECKING:
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")
Verb = Generator[None, Any, Any]


class Sink(Protocol):
    """Destination of points: a file, a folder, a database."""

    def open(self, run: Run) -> None:
        """Get ready for a run, and write its recipe down."""
        ...

    def rewrite(self, points: Sequence[Point]) -> None:
        """Let these be all the points of the training so far."""
        ...

    def append(self, points: Sequence[Point]) -> None:
        """Add points of the training."""
        ...

    def figures(self, place: str, points: Sequence[Point]) -> None:
        """Let these be all the points whose names begin with ``place``: a report's."""
        ...

    def close(self, *, finished: bool) -> None:
        """Keep all that was written; ``finished`` tells that the verb had its report."""
        ...


class Tracker:
    """Shows a sink what a run writes down; of several processes only the first does."""

    def __init__(self, name: str, sink: Sink) -> None:
        self.__name__ = name
        self._sink = sink
        self._folder: Path | None = None
        """Of the run that the sink is open for."""
        self._following: Following | None = None

    @hookimpl
    def step_end(self, run: Run) -> None:
        """Show the lines that were written since the last step."""
        if run.world.leads:
            self._catch_up(run)

    @hookimpl
    def epoch_end(self, run: Run) -> None:
        """Show the validation."""
        if run.world.leads:
            self._catch_up(run)

    @hookimpl(wrapper=True)
    def pretrain(self, run: Run) -> Verb:
        """Show the report, and close the log."""
        return (yield from self._around(run, trains=True))

    @hookimpl(wrapper=True)
    def finetune(self, run: Run) -> Verb:
        """Show the report, and close the log."""
        return (yield from self._around(run, trains=True))

    @hookimpl(wrapper=True)
    def evaluate(self, run: Run) -> Verb:
        """Show the report."""
        return (yield from self._around(run, trains=False))

    def _around(self, run: Run, *, trains: bool) -> Verb:
        finished = False
        try:
            report = yield
            if isinstance(report, Report) and run.world.leads:
                report = self._show(run, report, trains=trains)
                finished = True
            return report
        finally:
            self._close(finished=finished)

    def _show(self, run: Run, report: Report, *, trains: bool) -> Report:
        """Show a report; where that fails the run keeps its report, which says so."""
        try:
            if trains:
                self._catch_up(run)
            self._open(run)
            points = report_points(report, int(run.facts.get("steps", 0)))
            self._sink.figures(place(report), points)
        except Exception as error:  # a log that cannot be written must not take a training with it
            note = f"{self.__name__} does not hold this report: {first_line(error)}"
            log.warning("%s", note)
            return replace(report, notes=(*report.notes, note))
        return report

    def _catch_up(self, run: Run) -> None:
        if self._following is None or self._following.path != run.metrics_file:
            self._following = Following(run.metrics_file)
        anew, points = self._following.read()
        if anew or points:
            self._open(run)
            (self._sink.rewrite if anew else self._sink.append)(points)

    def _open(self, run: Run) -> None:
        if self._folder != run.folder:
            self._close(finished=False)
            self._sink.open(run)
            self._folder = run.folder

    def _close(self, *, finished: bool) -> None:
        if self._folder is None:
            return
        self._folder = None
        try:
            self._sink.close(finished=finished)
        except Exception as error:  # as in `_show`
            log.warning("%s: the log could not be closed: %s", self.__name__, first_line(error))
