"""Cells on shared storage: each is made in a folder of its node, stored at every checkpoint, and
fetched by whoever goes on with it, and by the driver once it has ended."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from multigraft.errors import RunError
from multigraft.experiments.cells import PlannedRun, folder_of
from multigraft.experiments.folder import read_state
from multigraft.experiments.job import LOGS, Ended, Job, work
from multigraft.experiments.records import FOLDER, file_of
from multigraft.experiments.storage import Storage, StoredPlace
from multigraft.experiments.turns import Queue
from multigraft.plugins.hookspecs import hookimpl
from multigraft.system.files import remove_folder

if TYPE_CHECKING:
    from multigraft.contracts.run_view import RunView
    from multigraft.experiments.engines import Workers

log = logging.getLogger("multigraft")
CHECKPOINTS = "checkpoints"
FETCHED = ".fetched"


class Mirror:
    """Watches a training, and stores the cell whenever it has written a checkpoint."""

    def __init__(self, storage: Storage, name: str, folder: Path) -> None:
        self._storage, self._name, self._folder = storage, name, folder
        self._stored: frozenset[str] = frozenset()

    @hookimpl
    def step_end(self, run: RunView, step: int, logs: Mapping[str, float]) -> None:
        """Store what the step before left; a storage that does not take it is told, and no more."""
        there = run.folder / CHECKPOINTS
        found = frozenset(each.name for each in there.iterdir()) if there.is_dir() else frozenset()
        if found == self._stored:
            return
        if self.push_if_taken():
            self._stored = found

    def push_if_taken(self) -> bool:
        """Store the cell as it is; False, with a warning, where the storage does not take it."""
        try:
            self.push()
        except RunError as error:
            log.warning("%s; the next checkpoint is stored again", error)
            return False
        return True

    def push(self) -> None:
        """Store the cell as it is. Raises RunError."""
        self._storage.push(self._folder, self._name)


def make(job: Job, plugins: Sequence[object] = ()) -> Ended:
    """Make a cell where its experiment's folder is, or on shared storage; as `work`."""
    if job.stored is None:
        return work(job, plugins)
    try:
        return _made_apart(job, job.stored, plugins)
    except (RunError, OSError) as error:
        return Ended(job.key, str(error))


def _made_apart(job: Job, place: StoredPlace, plugins: Sequence[object]) -> Ended:
    """Make a cell in a folder of this machine, from where it was left on any."""
    storage = Storage(place.url)
    with TemporaryDirectory(prefix="multigraft-", ignore_cleanup_errors=True) as own:
        folder = Path(own) / "cell"
        if not storage.pull(place.name, folder):
            folder.mkdir()
        file_of(folder, job.key).unlink(missing_ok=True)  # of a cell that is taken up again
        mirror = Mirror(storage, place.name, folder)
        try:
            ended = work(replace(job, experiment=str(folder), stored=None), [*plugins, mirror])
        except KeyboardInterrupt:  # it has saved what it had
            mirror.push_if_taken()
            raise
        if ended.unrecorded is None:
            mirror.push()
        return ended


@dataclass(frozen=True)
class StoredCells:
    """The driver's side: what cells are called in storage, and their way into its own folder."""

    url: str
    folder: Path
    """The experiment's."""
    names: dict[str, str] = field(default_factory=dict)
    """Key of a cell -> its name in storage."""

    def placed(self, job: Job) -> Job:
        """The job of a cell, to be made on storage."""
        self.names[job.key] = _name(job, self.folder)
        return replace(job, stored=StoredPlace(self.url, self.names[job.key]))

    def fetch(self, key: str) -> None:
        """Bring a cell that has ended into the experiment's folder, its record last; one without a
        record in storage is left. Raises RunError."""
        storage, there = Storage(self.url), self.folder / FETCHED
        if not storage.holds(self.names[key], f"{FOLDER}/{key}.json"):
            return
        try:
            if storage.pull(self.names[key], there):
                _moved(there, self.folder, key)
        finally:
            shutil.rmtree(there, ignore_errors=True)


def fetch_ended(cells: StoredCells, jobs: Sequence[Job]) -> None:
    """Bring cells that ended while no driver was there. Raises RunError."""
    for job in jobs:
        if not file_of(cells.folder, job.key).exists():
            cells.placed(job)
            cells.fetch(job.key)


def _moved(there: Path, folder: Path, key: str) -> None:
    """What was fetched of a cell, put where an experiment has it."""
    own, record = folder_of(folder, key), file_of(folder, key)
    paths = (own, folder / LOGS / f"{key}.log", record)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    if own.exists():
        remove_folder(own)
    for path in paths:
        found = there / path.relative_to(folder)
        if found.exists():
            found.replace(path)


def _name(job: Job, folder: Path) -> str:
    """A cell's key, with a hash of what it is made and tested from: other rows, threads or test
    domains are another cell, whoever shares the storage."""
    text = replace(job, experiment="", stored=None).to_json()
    known = read_state(folder) or read_state(folder.parent)  # a search has a folder of its own
    data: Mapping[str, Any] = known.get("data", {})
    used = {path: digest for path, digest in data.items() if json.dumps(path)[1:-1] in text}
    told = json.dumps([text, used], sort_keys=True).encode("utf-8", "surrogateescape")
    return f"{job.key}-{hashlib.blake2b(told, digest_size=4).hexdigest()}"


@dataclass(frozen=True)
class _Fetching:
    """A queue by which each cell is fetched before it counts as ended."""

    queue: Queue
    fetch: Callable[[str], None]

    def take(self) -> PlannedRun | None:
        return self.queue.take()

    def ended(self, key: str) -> None:
        self.fetch(key)
        self.queue.ended(key)

    def again(self, key: str) -> None:
        self.queue.again(key)

    @property
    def left(self) -> int:
        return self.queue.left


@dataclass(frozen=True)
class Fetched:
    """An engine whose cells lie on shared storage."""

    workers: Workers
    cells: StoredCells

    def run(self, turns: Queue) -> Generator[Ended]:
        """Make every cell, fetch each as it ends, and tell of it."""
        return self.workers.run(_Fetching(turns, self.cells.fetch))
