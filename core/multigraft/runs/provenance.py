"""Plugin provenance: which plugins a run was made with, and whether they are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from multigraft.contracts.owners import Owner, advice
from multigraft.errors import UnknownName
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe
from multigraft.recipe.resolved import ResolvedRecipe

HANDED = "plugins=[...] of the verb in Python"


def owner_of(catalog: Catalog, kind: str, name: str) -> Owner:
    """Find the plugin that registered a record; ``kind`` is a key of `contract.KINDS`."""
    info = catalog.owner(kind, name)
    return Owner(
        plugin=info.name, version=info.version, distribution=info.origin if info.version else ""
    )


def owners_of(catalog: Catalog, resolved: ResolvedRecipe) -> dict[str, Owner]:
    """Find who registered what a run is made of: ``task``, ``strategy.0`` and so on."""
    names = {"task": ("tasks", resolved.task.name)}
    for branch, found in resolved.branches.items():
        at = f".{branch}" if branch else ""
        names[f"modality{at}"] = ("modalities", found.modality.name)
        names[f"backbone{at}"] = ("backbones", found.backbone.name)
        for place, (each, _) in enumerate(found.strategies):
            names[f"strategy{at}.{place}"] = ("strategies", each.name)
    return {part: owner_of(catalog, kind, name) for part, (kind, name) in names.items()}


def absent(recipe: Recipe, modality: str, owners: Mapping[str, Any], catalog: Catalog) -> list[str]:
    """List each name of a run that no plugin registers here: what it is, and what brings it.

    ``modality`` is that of a run of one backbone; those of branches follow from their backbones.
    """
    names = {"task": recipe.task.name}
    for branch, choice in recipe.branches.items():
        at = f".{branch}" if branch else ""
        names[f"backbone{at}"] = choice.name
        names |= {"modality": modality} if modality and not branch else {}
        for place, each in enumerate(recipe.strategies[branch]):
            names[f"strategy{at}.{place}"] = each.name
    find: Mapping[str, Callable[[str], Any]] = {
        "task": catalog.task,
        "modality": catalog.modality,
        "backbone": catalog.backbone,
        "strategy": catalog.strategy,
    }
    lines = []
    for part, name in names.items():
        noun = part.partition(".")[0]
        try:
            find[noun](name)
        except UnknownName as error:
            raw = owners.get(part)
            owner = None if raw is None else Owner.model_validate(raw)
            lines += [str(error), f"  {advice(noun, owner, keeper='run', door=HANDED)}"]
    return lines
