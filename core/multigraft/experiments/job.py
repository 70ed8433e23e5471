"""One cell's work: train its run or go on with it, test it on every domain, record how it ended."""

from __future__ import annotations

import json
import logging
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.contracts.types import Stage
from multigraft.errors import MultigraftError, RunError, first_line
from multigraft.experiments.cell_log import logged
from multigraft.experiments.cells import PlannedRun, folder_of
from multigraft.experiments.plan import Domain, Plan
from multigraft.experiments.records import Record, Score, Tested, write_record
from multigraft.experiments.search.pruning import Pruning, TrialPlace
from multigraft.experiments.storage import StoredPlace
from multigraft.system.resume_command import RECORD

if TYPE_CHECKING:
    from multigraft.contracts.report import Report
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")
ANSWERS, LOGS = "answers", "logs"
OWN_ROWS = "held-out"
"""The domain of a run's own held-out rows, where what it learns from has no name."""
WEIGHTS = ("model", "checkpoints")
Evaluate = Callable[[Path | None], "Report"]
"""Evaluates a run, and writes the answers to a file where one is given."""


@dataclass(frozen=True)
class Job:
    """All that a process needs to make one cell, as plain data."""

    key: str
    experiment: str
    """The experiment's folder."""
    stage: Stage
    recipe: Mapping[str, Any]
    data: str | None
    domains: tuple[Domain, ...]
    threads: int
    keep: str
    trial: TrialPlace | None = None
    """Whose trial of a search it is, judged by its validation rows alone; None: of none."""
    stored: StoredPlace | None = None
    """Where nodes find it that do not see the experiment's folder; None: all do."""

    @classmethod
    def of(cls, run: PlannedRun, plan: Plan, folder: Path, threads: int) -> Job:
        """The work of a cell."""
        return cls(
            key=run.key,
            experiment=str(folder),
            stage=run.stage,
            recipe=run.recipe,
            data=run.cell.data,
            domains=tuple(each for each in plan.domains if each.name in run.tested_on),
            threads=threads,
            keep=plan.grid.keep,
        )

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return folder_of(Path(self.experiment), self.key)

    def to_json(self) -> str:
        """The job in one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Undo `to_json`."""
        raw = json.loads(text)
        domains = tuple(Domain(**each) for each in raw["domains"])
        trial = None if raw["trial"] is None else TrialPlace(**raw["trial"])
        stored = None if raw["stored"] is None else StoredPlace(**raw["stored"])
        return cls(**{**raw, "domains": domains, "trial": trial, "stored": stored})


@dataclass(frozen=True)
class Ended:
    """A cell that ended, well or not."""

    key: str
    unrecorded: str | None = None
    """Why not even its record could be written; None: it was."""

    def to_json(self) -> str:
        """The same in one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Ended:
        """Undo `to_json`."""
        return cls(**json.loads(text))


def work(job: Job, plugins: Sequence[object] = ()) -> Ended:
    """Make a cell and record how it ended; raises KeyboardInterrupt alone, where it is asked to
    stop."""
    try:
        with logged(Path(job.experiment) / LOGS / f"{job.key}.log"), _computing(job.threads):
            record = _record(job, plugins)
        write_record(Path(job.experiment), record)
    except OSError as error:  # a full disk, or one that may not be written
        return Ended(job.key, f"{error.filename or job.experiment}: {error.strerror or error}")
    if job.keep == "scores" and not record.problems:
        for name in WEIGHTS:
            shutil.rmtree(job.folder / name, ignore_errors=True)
    return Ended(job.key)


@contextmanager
def _computing(threads: int) -> Iterator[None]:
    from multigraft.system.compute.determinism import as_many_threads

    with as_many_threads(threads):
        yield


def _record(job: Job, plugins: Sequence[object]) -> Record:
    """How a cell ended."""
    try:
        if job.trial is None:
            return _measured_on_all(_trained(job, plugins), job)
        return _tried(_trained(job, [*plugins, Pruning(job.trial)]), job)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        log.error("%s", job.key, exc_info=error)
        return Record(cell=job.key, state="failed", reason=_why(error))


def _measured_on_all(run: Run, job: Job) -> Record:
    """A trained run on every domain, with what its answers cost."""
    from multigraft.experiments.row_cost import row_ms, weight_megabytes

    tested = [_tested(run, job, domain) for domain in job.domains] or [_on_own_rows(run, job)]
    return replace(
        _learned(run, job),
        tested=tuple(tested),
        ms=row_ms(run),
        megabytes=weight_megabytes(run),
    )


def _tried(run: Run, job: Job) -> Record:
    """A trial of a search: nothing but its validation is looked at. Raises RunError where it has
    no validation rows."""
    record = _learned(run, job)
    if record.validation is None:
        raise RunError(
            "a search chooses by validation rows, and there are none; give data.validation, or a "
            "share in data.split"
        )
    return record


def _learned(run: Run, job: Job) -> Record:
    """How a training went."""
    from multigraft.runs.report_files import read_report, report_file

    trained = read_report(report_file(run.folder, job.stage))
    return Record(
        cell=job.key,
        state="finished",
        reason=run.facts.get("reason"),
        seconds=0.0 if trained.cost is None else trained.cost.seconds,
        train_rows=len(run.rows["train"]),
        monitor=run.objective.monitor,
        greater_is_better=run.objective.greater_is_better,
        validation=run.facts.get("best", {}).get("value"),
        facts={"threads": job.threads},
    )


def _trained(job: Job, plugins: Sequence[object]) -> Run:
    """The cell's run: as it was left, gone on with, or begun."""
    from multigraft import api
    from multigraft.runs.record import read_record

    if not (job.folder / RECORD).exists():
        begin = api.finetune if job.stage == "finetune" else api.pretrain
        recipe = {**job.recipe, "output": str(job.folder)}
        return begin(recipe, plugins=plugins, quiet=True)
    if read_record(job.folder)["state"] != "finished":
        return api.resume(job.folder, plugins=plugins, quiet=True)
    return api.open_run(job.folder, plugins=plugins, quiet=True)


def _tested(run: Run, job: Job, domain: Domain) -> Tested:
    """The run on the rows of one domain."""
    from multigraft.runs.row_results import results_file

    hidden = dict.fromkeys(run.recipe.data.columns, "")  # names of the run's own columns
    return _measured(
        domain.name,
        job,
        results_file(job.folder, domain.name),
        lambda file: run.evaluate(
            domain.source,
            name=domain.name,
            columns={**hidden, **domain.columns},
            split="test",
            rows=file,
            quiet=True,
        ),
        answers=_answers(run),
    )


def _on_own_rows(run: Run, job: Job) -> Tested:
    """The run on its own held-out rows."""
    from multigraft.runs.row_results import results_file

    return _measured(
        job.data or OWN_ROWS,
        job,
        results_file(job.folder),
        lambda file: run.evaluate(rows=file, quiet=True),
        answers=_answers(run),
    )


def _answers(run: Run) -> bool:
    """Whether its task has answers to rows that are worth keeping."""
    return run.resolved.task.answers is not None and run.resolved.task.stage == "finetune"


def _measured(domain: str, job: Job, kept: Path, evaluate: Evaluate, *, answers: bool) -> Tested:
    file = job.folder / ANSWERS / f"{domain}.jsonl" if answers else None
    try:
        report = evaluate(file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as above
        log.error("%s on %s", job.key, domain, exc_info=error)
        return Tested(domain, reason=_why(error))
    scores = [Score(name, each.value, each.low, each.high) for name, each in report.metrics.items()]
    return Tested(
        domain,
        rows=int(report.facts["rows"]),
        scores=tuple(scores),
        seconds=0.0 if report.cost is None else report.cost.seconds,
        notes=report.notes,
        answers=None if file is None else file.relative_to(job.folder).as_posix(),
        kept=kept.relative_to(job.folder).as_posix() if kept.exists() else None,
    )


def _why(error: BaseException) -> str:
    """An error in words; of one that we did not foresee the place too."""
    if isinstance(error, MultigraftError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(place[-1].filename).name}:{place[-1].lineno})" if place else ""
    return f"{type(error).__name__}: {first_line(error)}{where}"
