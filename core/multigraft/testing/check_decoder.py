"""Checks of a backbone whose decoder writes, under the first task that writes with it."""

from __future__ import annotations

from collections.abc import Iterator

from multigraft.contracts.records import Task
from multigraft.errors import ExportError, MultigraftError
from multigraft.runs.run import Run
from multigraft.testing.check_writing import in_steps
from multigraft.testing.checks import Skipped
from multigraft.testing.tiny_runs import assembled, engine_of, heard, recipe_of
from multigraft.testing.untrained import grow
from multigraft.testing.workbench import Subject


def decodes(subject: Subject) -> Iterator[str]:
    """Check that its memory and state are as its writing says, and steps as reading at once."""
    run, refused = _writing_run(subject)
    yield from [refused] if run is None else in_steps(run)


def decoder_graph(subject: Subject) -> Iterator[str]:
    """Check that a tiny run exports, whose gate compares the graphs with the network in steps."""
    run, _ = _writing_run(subject)
    if run is None:
        raise Skipped("no task takes it")
    bench, record = subject.bench, subject.record
    task = bench.catalog.task(run.recipe.task.name)
    folder = bench.folder / f"decoder-{record.name}"
    recipe = recipe_of(bench, task, record, folder, training={"steps": 2})
    try:
        with heard():
            engine_of(bench).start(recipe, task.stage).export()
    except ExportError as error:
        yield str(error)


def _writing_run(subject: Subject) -> tuple[Run | None, str]:
    """An untrained run of the first task that writes with the backbone; else what the first says.

    Raises Skipped where it writes nothing, or no task of its modality does.
    """
    if not hasattr(grow(subject.bench, subject.record).module, "writing"):
        raise Skipped("its module writes nothing")
    said = ""
    for task in _tasks(subject):
        try:
            run = assembled(subject.bench, task, subject.record)
        except MultigraftError as error:
            if task.writes:
                said = said or f"task {task.name!r} does not take it: {error}"
            continue
        if run.objective.generating(run.graft.head) is not None:
            return run, ""
    if not said:
        raise Skipped("no task of its modality writes")
    return None, said


def _tasks(subject: Subject) -> list[Task]:
    """Those of its modality, the ones whose column a tokenizer is learned from first."""
    modality = subject.record.modality
    tasks = [task for task in subject.bench.catalog.tasks() if modality in task.modalities]
    return sorted(tasks, key=lambda task: task.writes is None)
