"""Merge a recipe file, flags and ``--set`` into one recipe; the later of these wins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.errors import RecipeError

if TYPE_CHECKING:
    from multigraft.plugins.catalog import Catalog
    from multigraft.recipe.resolved import ResolvedRecipe

NOTHING = (
    "nothing to train: give a recipe file, or --task, --backbone and --data; `multigraft recipe` "
    "prints one"
)


def choose(
    file: Path | None,
    flags: Mapping[str, Any],
    assignments: Sequence[str],
    *,
    catalog: Catalog,
) -> ResolvedRecipe:
    """Read the file, lay the flags over it, then the assignments.

    Raises RecipeError with every problem, of fields and of names. ``flags`` maps a dotted field to
    its value; None is a flag that was not given.
    """
    from multigraft.recipe.resolve import read_recipe

    raw = merge(file, flags, assignments)
    if not raw:
        raise RecipeError([NOTHING])
    return read_recipe(raw, catalog, source="recipe" if file is None else str(file))


def merge(
    file: Path | None, flags: Mapping[str, Any], assignments: Sequence[str]
) -> dict[str, Any]:
    """The raw recipe before it is checked."""
    from multigraft.recipe import assign, read_mapping

    raw = {} if file is None else read_mapping(file)
    for field, value in flags.items():
        if value is not None:
            # JSON is YAML: no value is misread
            assign(raw, f"{field}={json.dumps(value, ensure_ascii=False)}")
    for assignment in assignments:
        assign(raw, assignment)
    return raw
