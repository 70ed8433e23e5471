"""Recipes of several branches: what is told of one that does not hang together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from multigraft.contracts.branches import compose
from multigraft.contracts.describing_branches import compose_describing
from multigraft.contracts.records import Modality, Task
from multigraft.errors import did_you_mean
from multigraft.recipe.fields import Recipe
from multigraft.recipe.resolved import ResolvedBranch
from multigraft.system.files import check_plain
from multigraft.system.resume_command import RECORD, RECORD_BYTES


def form_problems(recipe: Recipe, modalities: Mapping[str, Modality]) -> Iterator[str]:
    """Where something is said by branch of a branch that there is not, or does not fit its
    modality."""
    branches = recipe.branches.keys()
    several = len(branches) > 1
    told = {
        "strategy": recipe.strategy,
        "reader": recipe.reader if several else (),
        "training.augment": recipe.training.augment.options if several else (),
    }
    for field, value in told.items():
        for branch in value if isinstance(value, dict) else ():
            if not several:
                yield f"{field}.{branch}: there is one backbone, no branches"
            elif branch not in branches:
                yield f"{field}.{branch}: no such branch; {did_you_mean(branch, branches)}"
    yield from _list_problems(recipe, modalities)
    if not several and recipe.data.missing == "allow":
        yield (
            "data.missing: found 'allow'; it is for several branches: of one, a row without a "
            "value is a bad row"
        )


def branch_problems(
    recipe: Recipe, task: Task, branches: Mapping[str, ResolvedBranch], fitting: Sequence[str]
) -> Iterator[str]:
    """Where the task, or what else is asked, does not take several branches; ``fitting`` tasks
    do."""
    if task.dual:
        yield from _dual_problems(recipe, task)
    if task.describes:
        yield from _describing_problems(recipe, task, branches)
    if not task.several:
        yield (
            f"task: {task.name!r} takes one backbone; of several branches learn "
            f"{', '.join(fitting) or 'no task here'}"
        )
    for branch in branches.keys() & set(task.columns):
        yield (
            f"backbone.{branch}: {branch!r} is the column of the task's targets; call the branch "
            "otherwise and map its column: data.columns"
        )
    for name in task.reader:
        if not any(name in branch.modality.options for branch in branches.values()):
            yield f"task: {task.name!r} needs the reader option {name!r}, which no branch has"
    if recipe.training.packing is not None:
        yield "training.packing: rows of several branches are not packed"
    if recipe.training.batch_budget is not None:
        yield (
            "training.batch_budget: the lengths of several branches have no unit in common; use "
            "training.batch_size"
        )
    if recipe.export.web:
        yield "export.web: a page without a server reads one modality; use multigraft serve"


def _list_problems(recipe: Recipe, modalities: Mapping[str, Modality]) -> Iterator[str]:
    """Where a list of columns is given to what reads one."""
    gather = {branch or each.columns[0] for branch, each in modalities.items() if each.gathers}
    for ours, names in recipe.data.listed.items():
        field = f"data.columns.{ours}"
        if ours not in gather:
            allowed = ", ".join(sorted(gather)) or "no column here"
            yield f"{field}: found a list; one column is read there, and of several: {allowed}"
        elif len(set(names)) < len(names):
            yield f"{field}: a column stands twice in it"


def _dual_problems(recipe: Recipe, task: Task) -> Iterator[str]:
    """Where a dual encoder has not two branches, or is to learn from rows that lack one."""
    if len(recipe.branches) != 2:
        found = ", ".join(filter(None, recipe.branches)) or "one backbone"
        yield (
            f"task: {task.name!r} takes two branches, as backbone: {{text: ..., image: ...}}; "
            f"found {found}"
        )
    if recipe.data.missing == "allow":
        yield f"data.missing: found 'allow'; every row of {task.name!r} needs both branches"


def whole_modality(recipe: Recipe, task: Task, branches: Mapping[str, ResolvedBranch]) -> Modality:
    """The modality of the one branch, or composed of those of several."""
    own = {name: branch.modality for name, branch in branches.items()}
    if len(own) == 1:
        return own[""]
    if task.describes and (writer := writer_of(branches)):
        return compose_describing(own, writer, missing=False)
    return compose(own, missing=task.dual or recipe.data.missing == "allow")


def writer_of(branches: Mapping[str, ResolvedBranch]) -> str:
    """The branch that writes, of those of a task that describes; empty where none or several
    can."""
    found = _writers(branches)
    return found[0] if len(found) == 1 and len(branches) > 1 else ""


def _writers(branches: Mapping[str, ResolvedBranch]) -> list[str]:
    return [name for name, each in branches.items() if each.modality.writes]


def _describing_problems(
    recipe: Recipe, task: Task, branches: Mapping[str, ResolvedBranch]
) -> Iterator[str]:
    """Where not just one branch writes, or rows may lack what is described."""
    if not writer_of(branches):
        found = [f"{name or 'one'} ({each.modality.name})" for name, each in branches.items()]
        yield (
            f"task: {task.name!r} takes one branch that writes, of a backbone of texts, and at "
            "least one that is read, of another modality, as backbone: {image: resnet-tiny, text: "
            f"gpt-tiny}}; found {', '.join(found)}"
        )
    if recipe.data.missing == "allow":
        yield f"data.missing: found 'allow'; every row of {task.name!r} needs what it describes"


def branches_of(run: Path) -> list[str]:
    """The branches of a run in that folder; none where it is no run, or one of one backbone."""
    path = run / RECORD
    try:
        check_plain(path, limit=RECORD_BYTES)
        branches = json.loads(path.read_text(encoding="utf-8"))["reader"]["branches"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    return list(map(str, branches)) if isinstance(branches, dict) else []
