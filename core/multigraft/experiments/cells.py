"""Cells of an experiment: each a recipe of its own, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft.contracts.types import Stage
from multigraft.errors import RecipeError
from multigraft.experiments.combinations import DATA, SEED, fields_of, plain
from multigraft.experiments.fields import Grid
from multigraft.experiments.leave_one_out import data_names, left_out, pooled
from multigraft.experiments.values import Combination
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe, assign
from multigraft.recipe.resolve import read_recipe
from multigraft.recipe.resolved import ResolvedRecipe

READABLE = 60
"""Letters of a key that say what the cell is."""
EVERYWHERE = frozenset({"full", "layer-wise-decay", "lora", "bitfit"})
"""Strategies by which something learns in every block, so that nothing in front of it is replayed;
another may freeze what cells share."""


@dataclass(frozen=True)
class Cell:
    """One run of an experiment: what it has of each field that varies."""

    key: str
    """Readable, with a hash of the recipe: the same recipe has the same key for ever."""
    varied: Mapping[str, Any]
    """Each field that varies but the seed -> the cell's value: a number, or what people call it;
    None where the cell does not set it."""
    seed: int
    data: str | None = None
    """The domain that it learns from, or ``all but`` one; None: its data have no name."""
    scratch: bool = False
    """Whether its backbone begins without weights."""
    left_out: str | None = None
    """The domain that it never learns from and is tested on (leave-one-domain-out); None: it leaves
    none out."""


@dataclass(frozen=True)
class PlannedRun:
    """How a cell is computed."""

    cell: Cell
    stage: Stage
    recipe: Mapping[str, Any]
    """As it is written to the run's folder, with whole paths."""
    turn: str | None
    """Runs of one turn are trained one after another; None: it may go beside any other."""
    tested_on: tuple[str, ...] = ()
    """The domains on which it is tested; empty: on its own held-out rows."""

    @property
    def key(self) -> str:
        """The cell's."""
        return self.cell.key


@dataclass(frozen=True)
class _Found:
    combination: Combination
    resolved: ResolvedRecipe | None
    problems: Sequence[str]


def planned_runs(
    grid: Grid, combined: Sequence[Combination], catalog: Catalog, problems: list[str]
) -> list[PlannedRun]:
    """A run for each combination; what is wrong with any is added to ``problems``, each once."""
    found = [_read(grid, each, catalog) for each in combined]
    problems += _told(found)
    fields = [field for field in fields_of(combined) if field != SEED]
    runs = [_run(grid, each, each.resolved, fields) for each in found if each.resolved is not None]
    first: dict[str, str] = {}
    for run in runs:
        other = first.setdefault(run.key.rpartition("-")[2], run.key)
        if first[run.key.rpartition("-")[2]] is not run.key:
            problems.append(f"cells {other} and {run.key} are the same run; leave one out")
    return runs


def planned_run(grid: Grid, base: Combination, drawn: Combination, catalog: Catalog) -> PlannedRun:
    """A run whose fields were drawn by a search, beside those of ``base``, which name its cell.

    Raises RecipeError.
    """
    resolved = read_recipe(raw_recipe(grid, {**base, **drawn}), catalog)
    fields = [field for field in base if field != SEED]
    return _run(grid, _Found(base, resolved, ()), resolved, fields)


def _read(grid: Grid, combination: Combination, catalog: Catalog) -> _Found:
    try:
        return _Found(combination, read_recipe(raw_recipe(grid, combination), catalog), ())
    except RecipeError as error:
        return _Found(combination, None, error.problems)


def raw_recipe(grid: Grid, combination: Combination) -> dict[str, Any]:
    """The recipe with the values of a combination laid over it, whole fields before parts of
    them."""
    raw: dict[str, Any] = deepcopy(grid.recipe)
    domain = _domain_of(grid, combination)
    if domain is not None:
        shared = raw[DATA] if isinstance(raw.get(DATA), Mapping) else {}
        raw[DATA] = _rows_of(grid, domain, shared)
    for field, choice in sorted(combination.items(), key=lambda each: each[0].count(".")):
        if field != DATA or domain is None:
            assign(raw, f"{field}={json.dumps(choice.value, default=str)}")
    return raw


def _rows_of(grid: Grid, named: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The section ``data`` of a cell that learns from a domain, or from all but one."""
    out = left_out(named)
    if out is not None:
        return pooled(grid.domains, out, shared)
    return {**shared, **grid.domains[named].model_dump(mode="json", exclude_unset=True)}


def _domain_of(grid: Grid, combination: Combination) -> str | None:
    """The domain that a cell learns from, or all but which; None: its data have no name."""
    named = combination[DATA].value if DATA in combination else grid.recipe.get(DATA)
    return named if isinstance(named, str) and named in data_names(grid.domains) else None


def _told(found: Sequence[_Found]) -> list[str]:
    """Each problem once, with the cells that have it."""
    having: dict[str, list[_Found]] = {}
    for each in found:
        for problem in each.problems:
            having.setdefault(problem, []).append(each)
    return [
        problem if len(some) == len(found) else f"{problem} ({_where(some)})"
        for problem, some in having.items()
    ]


def _where(found: Sequence[_Found]) -> str:
    first = ", ".join(f"{field}: {each.label}" for field, each in found[0].combination.items())
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"cell {{{first}}}{more}"


def _run(grid: Grid, found: _Found, resolved: ResolvedRecipe, fields: Sequence[str]) -> PlannedRun:
    recipe = resolved.anchored().recipe.model_copy(update={"output": None})
    turn = _turn(resolved, recipe)
    if turn is not None:  # other cells will evaluate the same rows, from the same frozen part
        training = recipe.training.model_copy(update={"replay": "on"})
        recipe = recipe.model_copy(update={"training": training})
    raw = recipe.model_dump(mode="json")
    chosen = found.combination
    data = _domain_of(grid, chosen)
    out = left_out(data)
    cell = Cell(
        key=_key(chosen, raw),
        varied={field: _value(chosen[field]) if field in chosen else None for field in fields},
        seed=recipe.seed,
        data=data,
        scratch=resolved.scratch,
        left_out=out,
    )
    tested_on = grid.test_domains if out is None else (out,)
    return PlannedRun(cell, resolved.task.stage, raw, turn, tested_on)


def _value(choice: Any) -> Any:
    number = isinstance(choice.value, int | float) and not isinstance(choice.value, bool)
    return choice.value if number else choice.label


def _key(combination: Combination, raw: Mapping[str, Any]) -> str:
    """What varies, for people, and what tells it from all others."""
    told = "-".join(
        f"{field.rpartition('.')[2]}{each.label}"
        if isinstance(_value(each), int | float)
        else each.label
        for field, each in combination.items()
    )
    text = json.dumps(raw, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain(told)[:READABLE].strip('-.') or 'cell'}-{digest}"


def _turn(resolved: ResolvedRecipe, recipe: Recipe) -> str | None:
    """What a run's frozen part would be kept under, as far as a recipe tells.

    Runs that go on from the same results are trained in the order of the plan: so the backbone is
    computed once, and in the same batches, however many workers there are.
    """
    used = {strategy.name for each in resolved.branches.values() for strategy, _ in each.strategies}
    if recipe.training.replay == "off" or used <= EVERYWHERE:
        return None
    shared = recipe.model_dump(mode="json", include={"backbone", "reader"})
    shared["precision"] = recipe.training.precision
    if any(each.origin.scratch for each in resolved.branches.values()):
        shared[SEED] = recipe.seed  # other seeds have other weights
    return json.dumps(shared, sort_keys=True)


def folder_of(folder: Path, key: str) -> Path:
    """The run's folder of a cell."""
    return folder / "cells" / key
