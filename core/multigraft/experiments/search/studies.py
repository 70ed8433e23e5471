"""Studies: one search for each combination of what varies but the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multigraft.errors import RecipeError
from multigraft.experiments.cells import PlannedRun, planned_run
from multigraft.experiments.combinations import SEED, cross_product
from multigraft.experiments.fields import Grid
from multigraft.experiments.search.space import examples
from multigraft.experiments.values import Combination
from multigraft.plugins.catalog import Catalog

ALONE = "search"
"""The name of a study beside which there is no other."""


@dataclass(frozen=True)
class PlannedStudy:
    """A search, and the seeds with which its best is trained afterwards."""

    name: str
    base: Combination
    """What it has of each field that varies, the seed apart."""
    finals: tuple[Combination, ...]
    """The same with each seed."""
    example: PlannedRun
    """One of its trials: with the first of everything."""


def planned_studies(grid: Grid, catalog: Catalog, problems: list[str]) -> list[PlannedStudy]:
    """The studies of a grid; what is wrong with any trial is added to ``problems``."""
    assert grid.search is not None
    found: dict[str, list[Combination]] = {}
    for combined in cross_product(grid, problems) or [{}]:
        base = {field: each for field, each in combined.items() if field != SEED}
        found.setdefault(_name(base), []).append(combined)
    studies = [_study(grid, name, finals, catalog, problems) for name, finals in found.items()]
    return [each for each in studies if each is not None]


def _name(base: Combination) -> str:
    return ", ".join(each.label for each in base.values()) or ALONE


def _study(
    grid: Grid,
    name: str,
    finals: Sequence[Combination],
    catalog: Catalog,
    problems: list[str],
) -> PlannedStudy | None:
    """A study whose every value was checked; None where one of them is wrong."""
    assert grid.search is not None
    base = {field: each for field, each in finals[0].items() if field != SEED}
    runs: list[PlannedRun] = []
    wrong: dict[str, str] = {}
    for chosen in examples(grid.search, base):
        drawn = {field: each for field, each in chosen.items() if field not in base}
        try:
            runs.append(planned_run(grid, base, drawn, catalog))
        except RecipeError as error:
            told = ", ".join(f"{field}: {each.label}" for field, each in chosen.items())
            wrong = {**dict.fromkeys(error.problems, told), **wrong}
    problems += [f"{problem} (trial {{{told}}})" for problem, told in wrong.items()]
    return None if wrong else PlannedStudy(name, base, tuple(finals), runs[0])
