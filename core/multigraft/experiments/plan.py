"""Plan of an experiment: its cells and where each is tested, read from a grid and checked whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

from multigraft.errors import RecipeError, did_you_mean
from multigraft.experiments.cells import PlannedRun, planned_runs
from multigraft.experiments.combinations import combinations, listed_cells
from multigraft.experiments.fields import ALL, Grid, check_fields
from multigraft.experiments.leave_one_out import (
    LEAVE_ONE_OUT,
    SPLITS,
    WRITTEN,
    domains_left_out,
    pool_problems,
)
from multigraft.experiments.search.space import space_problems
from multigraft.experiments.search.studies import PlannedStudy, planned_studies
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import read_mapping
from multigraft.recipe.data_fields import given_source
from multigraft.system.files import expanded, whole_path

NAME = re.compile(r"\w[\w.-]{0,99}")
"""What a domain may be called: the reports of its rows are kept under its name."""
OWN = ("train", "validation", "test", "all")
OUTPUT = "output"


@dataclass(frozen=True)
class Domain:
    """Rows that runs are tested on."""

    name: str
    source: str | Sequence[str]
    columns: Mapping[str, str]
    """Our name of a column -> its name there."""


@dataclass(frozen=True)
class Plan:
    """A grid that was checked: nothing in it is wrong before data are read."""

    grid: Grid
    runs: tuple[PlannedRun, ...]
    domains: tuple[Domain, ...]
    studies: tuple[PlannedStudy, ...] = ()
    """Searches that come first: what they find are further runs."""


def read_plan(grid: Grid | Mapping[str, Any] | str | Path, catalog: Catalog) -> Plan:
    """Read a grid or its file, and check it whole. Raises RecipeError with every problem in it."""
    source = str(grid) if isinstance(grid, str | Path) else "grid"
    raw: Any = read_mapping(Path(grid)) if isinstance(grid, str | Path) else grid
    if isinstance(raw, Grid):
        raw = raw.model_dump(mode="json", exclude_unset=True)
    checked, problems = check_fields(raw)
    problems += [*_own_fields(checked), *_domain_problems(checked)]
    combined = (combinations if checked.search is None else listed_cells)(checked, problems)
    studies = _studies(checked, catalog, problems)
    runs = planned_runs(checked, combined, catalog, problems)
    problems += _other_tests(checked, [*runs, *(study.example for study in studies)])
    if not combined and not studies and not problems:
        problems.append("exclude: leaves no cell; leave some of it out")
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)), source=source)
    return Plan(checked, tuple(runs), tuple(_domains(checked)), tuple(studies))


def _studies(grid: Grid, catalog: Catalog, problems: list[str]) -> list[PlannedStudy]:
    """The searches of a grid, their trials checked where it can be told what is drawn."""
    if grid.search is None:
        return []
    wrong = list(space_problems(grid.search, grid.vary))
    problems += wrong
    return [] if wrong else planned_studies(grid, catalog, problems)


def _domains(grid: Grid) -> Iterator[Domain]:
    left_out = domains_left_out(grid)
    for name in dict.fromkeys([*grid.test_domains, *left_out]):
        data = grid.domains[name]
        shared = grid.recipe.get("data", {})
        columns = dict(shared.get("columns", {})) if isinstance(shared, Mapping) else {}
        if "columns" in data.model_fields_set:
            columns = dict(data.columns)
        source = data.train if data.test is None and name in left_out else data.test
        if source is not None:
            yield Domain(name, given_source(source) or source, columns)


def _own_fields(grid: Grid) -> Iterator[str]:
    """Fields of a recipe that the experiment decides."""
    space = {} if grid.search is None else grid.search.space
    for at, fields in (("recipe", grid.recipe), ("vary", grid.vary), ("search.space", space)):
        if OUTPUT in fields:
            yield (
                f"{at}.{OUTPUT}: every run lies in the experiment's folder; leave it out, or give "
                f"the grid an {OUTPUT}"
            )


def _domain_problems(grid: Grid) -> list[str]:
    left_out = domains_left_out(grid)
    return [
        *_names(grid),
        *_missing_files(grid),
        *_untestable(grid),
        *_written_otherwise(grid, list(grid.domains) if left_out else grid.test_domains),
        *(pool_problems(grid.domains, left_out) if left_out else ()),
    ]


def _other_tests(grid: Grid, runs: Sequence[PlannedRun]) -> Iterator[str]:
    """What else names test rows for runs that are tested on the domain they leave out."""
    leaving = [run for run in runs if run.cell.left_out is not None]
    for name, given in (
        ("data.test", [run.recipe["data"]["test"] for run in leaving]),
        ("data.split.hold_out", [run.recipe["data"]["split"]["hold_out"] for run in leaving]),
    ):
        if any(given):
            yield f"{name}: names test rows, and so does {LEAVE_ONE_OUT}; leave one of them out"
    if leaving and len(leaving) == len(runs) and grid.test_on not in ((), ALL):
        yield (
            f"test_on: every cell leaves a domain out and is tested on it ({LEAVE_ONE_OUT}); leave "
            "test_on out"
        )


def _names(grid: Grid) -> Iterator[str]:
    for name in grid.domains:
        if name in OWN or not NAME.fullmatch(name):
            yield (
                f"domains.{name}: cannot be called so: {', '.join(OWN)} have a meaning already, "
                "and letters, digits, - and . are allowed"
            )


def _missing_files(grid: Grid) -> Iterator[str]:
    for name, data in grid.domains.items():
        for split in SPLITS:
            for source in _each(getattr(data, split)):
                elsewhere = source.startswith("hub:") or "://" in source or has_magic(source)
                if not elsewhere and not expanded(source).exists():
                    yield f"domains.{name}.{split}: {source}: there is no such file or folder"


def _each(source: str | Sequence[str] | None) -> Sequence[str]:
    """The sources that are read as one."""
    return [source] if isinstance(source, str) else source or ()


def _untestable(grid: Grid) -> Iterator[str]:
    """Domains of ``test_on`` that are not there, or whose test rows are not the same for all."""
    for name in grid.test_domains:
        if name not in grid.domains:
            yield (f"test_on: no domain is called {name!r}; {did_you_mean(name, grid.domains)}")
        elif grid.domains[name].test is None:
            yield (
                f"domains.{name}.test: is missing; runs of every domain are tested on the same "
                "rows, so name a file of them, or leave the domain out of test_on"
            )


def _written_otherwise(grid: Grid, tested: Sequence[str]) -> Iterator[str]:
    """How files are written, which a run reads other data by as it read its own."""
    known = [name for name in tested if name in grid.domains]
    for field in WRITTEN:
        values = {name: getattr(grid.domains[name], field) for name in known}
        if len(set(values.values())) > 1:
            told = ", ".join(f"{name}: {value}" for name, value in values.items())
            yield (
                f"domains: {field} is not the same ({told}), and a run reads other domains as its "
                "own; write the files alike"
            )


def sources_of(plan: Plan) -> Sequence[Path]:
    """The files and folders on this machine from which the cells take rows."""
    runs = [*plan.runs, *(study.example for study in plan.studies)]
    named = [run.recipe["data"][split] for run in runs for split in SPLITS]
    named += [domain.source for domain in plan.domains]
    found = dict.fromkeys(each for source in named for each in _each(source))
    return [whole_path(name) for name in found if expanded(name).exists()]
