"""Listing of runs: what lies in a folder, with the figure that each run is judged by."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from multigraft.contracts.numbers import duration
from multigraft.contracts.report import Measure, Report
from multigraft.contracts.report_view import SHORT, beside, view_of
from multigraft.errors import MultigraftError, RunError, did_you_mean
from multigraft.recipe import Recipe
from multigraft.runs.record import read_record
from multigraft.runs.report_files import read_report, report_file
from multigraft.runs.row_results import read_results, results_file
from multigraft.system.notebook import page_part
from multigraft.system.resume_command import RECORD

log = logging.getLogger("multigraft")

DEPTH = 6
"""Folders within folders in which runs are looked for."""


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """A run as a line of a list."""

    name: str
    """Its folder, seen from the one that is listed."""
    folder: str
    state: str
    """``finished``, ``running``, ``interrupted``, ``failed``; or why it cannot be read."""
    task: str = ""
    backbone: str = ""
    strategy: str = ""
    data: str = ""
    seed: int | None = None
    metric: str = ""
    """What the task is judged by; ``validation ...`` before the run was evaluated."""
    value: Measure | None = None
    greater: bool = True
    """Whether larger values of it are better."""
    seconds: float | None = None
    """That the training took."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class RunList:
    """Runs in order, as a sequence; a notebook shows them as a table."""

    folder: Path
    """In which they were looked for."""
    runs: tuple[ListedRun, ...]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[ListedRun]:
        return iter(self.runs)

    def __getitem__(self, place: int) -> ListedRun:
        return self.runs[place]

    def report(self) -> Report:
        """As a terminal shows it; what is the same for all runs is told once."""
        return listing_report(self.runs, self.folder)

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.runs[:SHORT])
        more = f" and {len(self) - SHORT} more" if len(self) > SHORT else ""
        return f"<RunList of {self.folder}: {names or 'no runs'}{more}>"

    def _repr_html_(self) -> str:
        return page_part(view_of(self.report()))


SORTS = ("name", "state", "task", "backbone", "strategy", "data", "seed", "value", "seconds")


def listed_runs(
    folder: str | Path, *, sort: str = "name", reverse: bool = False
) -> list[ListedRun]:
    """The runs in a folder and the folders in it, by one of their fields; by ``value`` the best of
    each metric first. Those without the field come last.

    Raises RunError where there is no such folder or field.
    """
    if sort not in SORTS:
        raise RunError(f"sort: runs have no {sort!r}; {did_you_mean(sort, SORTS)}")
    root = Path(folder)
    if not root.is_dir():
        raise RunError(f"{root}: is no folder; give one that holds runs")
    found = [_listed(path, root) for path in run_folders(root)]
    known = [each for each in found if _place(each, sort) is not None]
    rest = [each for each in found if _place(each, sort) is None]
    ordered = sorted(known, key=lambda each: (_place(each, sort), each.name), reverse=reverse)
    return [*ordered, *rest]


def listing_report(runs: Sequence[ListedRun], folder: str | Path) -> Report:
    """The list as a terminal shows it; what is the same for all runs is told once."""
    columns = {name: [told(run) for run in runs] for name, told in COLUMNS.items()}
    same = [name for name, cells in columns.items() if len(set(cells)) == 1 and len(cells) > 1]
    own = {name: cells for name, cells in columns.items() if name not in same or name == "run"}
    return Report(
        verb="runs",
        title=f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} in {folder}",
        tables={"runs": (tuple(own), *zip(*own.values(), strict=True))} if runs else {},
        facts={name: columns[name][0] for name in same if columns[name][0]},
        notes=() if runs else ("no run lies here; train one with: multigraft finetune RECIPE",),
    )


def listing_table(runs: Sequence[ListedRun]) -> tuple[tuple[str, ...], ...]:
    """The list as rows of cells, the heading first, with every column."""
    return (tuple(COLUMNS), *(tuple(told(run) for told in COLUMNS.values()) for run in runs))


def run_folders(root: Path) -> Iterator[Path]:
    """The folders of runs in one and the folders in it, or itself."""
    return _folders(root, DEPTH)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """Folders of runs, in the order of their names; nothing within a run is looked at, and no link
    is followed."""
    if (root / RECORD).is_file():
        yield root
        return
    if depth == 0:
        return
    for name in _inside(root):
        yield from _folders(root / name, depth - 1)


def _inside(folder: Path) -> list[str]:
    """The names of the folders in one, without links and hidden ones; none, and a word, where it
    may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except PermissionError:
        log.warning("%s: may not be read; runs in it are not listed", folder)
        return []


def _listed(folder: Path, root: Path) -> ListedRun:
    name = str(folder.relative_to(root)) if folder != root else folder.resolve().name
    try:
        facts = read_record(folder)
        recipe = Recipe.parse(facts["recipe"]) if facts.get("recipe") else None
        metric, value, greater = _judged(folder, facts, recipe)
        seconds = _seconds(folder, facts)
    except MultigraftError as error:
        return ListedRun(name=name, folder=str(folder), state=str(error).splitlines()[0])
    return ListedRun(
        name=name,
        folder=str(folder),
        state=facts["state"],
        task=facts.get("task", ""),
        backbone=facts.get("backbone", ""),
        strategy="" if recipe is None else recipe.strategy_name,
        data="" if recipe is None else _data(recipe),
        seed=facts.get("seed"),
        metric=metric,
        value=value,
        greater=greater,
        seconds=seconds,
    )


def _judged(
    folder: Path, facts: Mapping[str, Any], recipe: Recipe | None
) -> tuple[str, Measure | None, bool]:
    """What a run is judged by, its figure, and whether more of it is better: on held-out rows where
    it was evaluated, else in validation."""
    path = results_file(folder)
    if path.exists():
        results = read_results(path)
        measures = results.measures(0.95 if recipe is None else recipe.evaluation.confidence)
        return results.metric, measures[results.metric], results.greater
    best = facts.get("best", {})
    name, value = best.get("metric"), best.get("value")
    if not isinstance(name, str) or not isinstance(value, int | float):
        return "", None, True
    return f"validation {name}", Measure(float(value)), bool(best.get("greater", True))


def _seconds(folder: Path, facts: Mapping[str, Any]) -> float | None:
    path = report_file(folder, str(facts.get("stage", "finetune")))
    cost = read_report(path).cost if path.exists() else None
    return None if cost is None else cost.seconds


def _data(recipe: Recipe) -> str:
    """The training rows' files or folder, by the ends of their paths."""
    train = recipe.data.train
    sources = [train] if isinstance(train, str) else train
    return ", ".join(each if ":" in each else "/".join(_end(each)) for each in sources)


def _end(path: str) -> tuple[str, ...]:
    return Path(path).parts[-2:]


def _place(run: ListedRun, sort: str) -> Any:
    """What a run is ordered by; None where it does not have it."""
    if sort == "value" and run.value is not None:
        return run.metric, -run.value.value if run.greater else run.value.value
    found = getattr(run, sort)
    return None if found == "" else found


def _figure(run: ListedRun) -> str:
    """The metric with its value and interval, in a cell."""
    if run.value is None:
        return ""
    return f"{run.metric} {beside(run.value)}"


COLUMNS: Mapping[str, Callable[[ListedRun], str]] = {
    "run": lambda run: run.name,
    "state": lambda run: run.state,
    "task": lambda run: run.task,
    "backbone": lambda run: "/".join(_end(run.backbone)),
    "strategy": lambda run: run.strategy,
    "data": lambda run: run.data,
    "seed": lambda run: "" if run.seed is None else str(run.seed),
    "metric": _figure,
    "time": lambda run: "" if run.seconds is None else duration(run.seconds),
}
"""What a terminal shows of a run."""
