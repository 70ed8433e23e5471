"""What a bundle asks for, found here: a precision, the modality, and what makes answers of
outputs."""

from __future__ import annotations

from multigraft.contracts.answers import Answers
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
    try:
        modality = catalog.modality(bundle.modality)
    except UnknownName as error:
        raise _missing("modality", error, bundle) from error
    if bundle.named is not None:
        return modality, named_answers(bundle.named, bundle.targets)
    try:
        task = catalog.task(bundle.task)
    except UnknownName as error:
        raise _missing("task", error, bundle) from error
    with refused_as(BundleError, f"the targets of task {bundle.task!r} make no answers"):
        return modality, make_answers(task, bundle.targets, [port.name for port in bundle.outputs])


def _missing(noun: str, error: UnknownName, bundle: Bundle) -> BundleError:
    door = "load(..., catalog=Catalog([plugin]))"
    return BundleError(
        f"{error}\n  {advice(noun, bundle.owners.get(noun), keeper='bundle', door=door)}"
    )
