"""What a bundle asks for, found here: a precision, the modality, and what makes answers of
outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.owners import advice
from multigraft.contracts.records import Answer, Arrays, Modality, Spec
from multigraft.errors import BundleError, UnknownName
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.decoders import DECODERS, MERGES, default_decoder


@dataclass(frozen=True)
class Answering:
    """What makes answers of outputs: the task's functions, or those of ours that the bundle
    names."""

    decode: Callable[[Spec, Arrays], list[Answer]]
    merge: Callable[[Arrays, np.ndarray], Arrays] | None


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


def look_up(bundle: Bundle, catalog: Catalog) -> tuple[Modality, Answering]:
    """The modality, and what answers. A task that is not here is needed only where it decodes
    itself.

    Raises BundleError with what to install.
    """
    try:
        modality = catalog.modality(bundle.modality)
    except UnknownName as error:
        raise _missing("modality", error, bundle) from error
    try:
        task = catalog.task(bundle.task)
    except UnknownName as error:
        if bundle.decode is None:
            raise _missing("task", error, bundle) from error
        merge = None if bundle.merge is None else MERGES[bundle.merge]
        return modality, Answering(DECODERS[bundle.decode], merge)
    served = [port.name for port in bundle.outputs]
    return modality, Answering(task.decode or default_decoder(served), task.merge)


def _missing(noun: str, error: UnknownName, bundle: Bundle) -> BundleError:
    door = "load(..., catalog=Catalog([plugin]))"
    return BundleError(
        f"{error}\n  {advice(noun, bundle.owners.get(noun), keeper='bundle', door=door)}"
    )
