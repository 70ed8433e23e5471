"""What a bundle asks for, found here: a precision, the modality, and what makes answers of
outputs."""

from __future__ import annotations

from multigraft.contracts.answers import Answers
from multigraft.contracts.branches import BLANKS, compose
from multigraft.contracts.describing_branches import WRITER, alone, compose_describing
from multigraft.contracts.owners import advice
from multigraft.contracts.records import Modality
from multigraft.errors import BundleError, UnknownName, refused_as
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.answers.registry import make_answers, named_answers
from multigraft.runtime.bundle import Bundle


def choose(bundle: Bundle, wanted: str | None) -> tuple[str, str]:
    """The name and the graph's file of the precision wanted, or of the default. Raises
    BundleError."""
    name = wanted or bundle.default
    entry = bundle.precisions.get(name)
    if entry is not None and entry.accepted and entry.file is not None:
        return name, entry.file
    held = ", ".join(key for key, value in bundle.precisions.items() if value.accepted)
    why = "was not exported" if entry is None else f"was refused: {entry.reason}"
    raise BundleError(f"precision {name!r} {why}; the bundle holds {held}")


def look_up(bundle: Bundle, catalog: Catalog) -> tuple[Modality, Answers]:
    """The modality, and what makes answers: core's, which the bundle names, or the task's own.

    Raises BundleError with what to install.
    """
    modality = _modality(bundle, catalog)
    if bundle.named is not None:
        return modality, named_answers(bundle.named, bundle.targets)
    try:
        task = catalog.task(bundle.task)
    except UnknownName as error:
        raise missing_record("task", error, bundle) from error
    with refused_as(BundleError, f"the targets of task {bundle.task!r} make no answers"):
        return modality, make_answers(task, bundle.targets, [port.name for port in bundle.outputs])


def _modality(bundle: Bundle, catalog: Catalog) -> Modality:
    """The modality, or those of all branches side by side."""
    found: dict[str, Modality] = {}
    names = {branch: each.modality for branch, each in bundle.branches.items()}
    for branch, name in (names or {"": bundle.modality}).items():
        try:
            found[branch] = catalog.modality(name)
        except UnknownName as error:
            raise missing_record("modality", error, bundle, branch=branch) from error
    if not names:
        return found[""]
    missing, writer = BLANKS in bundle.reader, bundle.reader.get(WRITER)
    if writer is None:
        return compose(found, missing=missing)
    if not isinstance(writer, str) or writer not in found or len(found) < 2:
        raise BundleError(f"the bundle's reader names no branch that writes: {writer!r}")
    return alone(compose_describing(found, writer, missing=missing))


def missing_record(
    noun: str, error: UnknownName, bundle: Bundle, *, branch: str = ""
) -> BundleError:
    """Say which plugin to install for a record that the bundle names and nobody registers."""
    door = "load(..., catalog=Catalog([plugin]))"
    owner = bundle.owners.get(f"{noun}.{branch}" if branch else noun)
    return BundleError(f"{error}\n  {advice(noun, owner, keeper='bundle', door=door)}")
