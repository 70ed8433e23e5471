"""An experiment: a grid of runs, each computed once, and what their measurements say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.contracts.report_view import view_of
from multigraft.errors import RunError, refused_as
from multigraft.experiments import folder as places
from multigraft.experiments.cells import Cell
from multigraft.experiments.plan import Plan
from multigraft.experiments.records import Record, read_cell_record
from multigraft.experiments.results import rows_of, write_results
from multigraft.system.files import is_plain_name, whole_path
from multigraft.system.notebook import page_part

if TYPE_CHECKING:
    from multigraft.contracts.report import Report
    from multigraft.experiments.search.outcome import Tried
    from multigraft.experiments.transfer import Transfer


@dataclass(repr=False)
class Experiment:
    """An experiment's folder and cells; what ended is read anew from its records each time."""

    folder: Path
    cells: Sequence[Cell]
    domains: Sequence[str] = ()
    """On which all runs are tested; empty: each on its own rows."""
    metric: str | None = None
    """What is shown; None: what the task is monitored by."""
    unrecorded: dict[str, str] = field(default_factory=dict)
    """Cells that ended without a record, and what the disk said."""

    def __repr__(self) -> str:
        ended, failed = len(self.records()), len(self.problems)
        told = f"{len(self.cells)} cells, {ended} ended" + (f", {failed} failed" if failed else "")
        return f"<Experiment {self.folder}: {told}>"

    def _repr_html_(self) -> str:
        return page_part(view_of(self.report()))

    @classmethod
    def open(cls, folder: str | Path) -> Experiment:
        """The experiment in a folder, also while it is being computed. Raises RunError."""
        found = whole_path(folder)
        state = places.read_state(found)
        if not state:
            raise RunError(f"{folder}: is no experiment: it has no {places.STATE}")
        with refused_as(RunError, f"{found / places.STATE}: cannot be read"):
            cells = [Cell(**each) for each in state["cells"]]
            domains = tuple(map(str, state["domains"]))
        if odd := [cell.key for cell in cells if not is_plain_name(cell.key)]:
            raise RunError(f"{found / places.STATE}: {odd[0]!r} is no key of a cell")
        return cls(found, cells, domains, state["metric"])

    @classmethod
    def of(cls, plan: Plan, folder: Path) -> Experiment:
        """The experiment of a plan."""
        cells = [run.cell for run in plan.runs]
        return cls(folder, cells, [each.name for each in plan.domains], plan.grid.metric)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that vary, the seed apart."""
        return tuple(self.cells[0].varied) if self.cells else ()

    def records(self) -> dict[str, Record]:
        """The record of each cell that ended, by its key."""
        read = {cell.key: read_cell_record(self.folder, cell.key) for cell in self.cells}
        return {key: record for key, record in read.items() if record is not None}

    def rows(self) -> list[dict[str, Any]]:
        """One row for each cell, domain and metric (see `results.rows_of`)."""
        return rows_of(self.cells, self.records())

    def report(self) -> Report:
        """What the cells say so far, as tables: `show` of the command line."""
        from multigraft.experiments.overview import report_of

        return report_of(self)

    def trials(self) -> list[Tried]:
        """The trials of its search that ended; empty where it searches nothing."""
        from multigraft.experiments.search.outcome import read_trials

        return read_trials(self.folder)

    def transfers(self) -> list[Transfer]:
        """Every domain that was learned from, on every domain it was tested on, beside what the
        target has of its own."""
        from multigraft.experiments.summary import Summary
        from multigraft.experiments.transfer import transfers

        return transfers(Summary(self))

    @property
    def problems(self) -> dict[str, list[str]]:
        """What went wrong, by cell; empty: nothing."""
        found = {key: record.problems for key, record in self.records().items() if record.problems}
        return found | {key: [why] for key, why in self.unrecorded.items()}

    def write(self) -> None:
        """Write the table of what ended so far. Raises OSError."""
        write_results(self.folder / places.RESULTS, self.rows(), self.fields)
