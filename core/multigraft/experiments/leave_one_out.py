"""Leave-one-domain-out: learn from every domain but one, and be tested on the one left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from multigraft.experiments.fields import ALL, Grid
from multigraft.recipe import Data
from multigraft.system.files import expanded, whole_path
from multigraft.system.validation import short

LEAVE_ONE_OUT = "leave-one-domain-out"
"""Stands, in a grid, for the data of every training that leaves one domain out."""
ALL_BUT = "all but "
"""How the name of such data begins; no domain's can."""
SPLITS = ("train", "validation", "test")
WRITTEN = ("format", "encoding", "quotes")
"""Fields that domains must share anyway where one is tested as another was read."""


def all_but(name: str) -> str:
    """What the rows of every domain but one are called."""
    return ALL_BUT + name


def left_out(data: Any) -> str | None:
    """The domain that data of this name leave out; None: they are no such data.

    >>> left_out("all but films"), left_out("films")
    ('films', None)
    """
    found = isinstance(data, str) and data.startswith(ALL_BUT)
    return data.removeprefix(ALL_BUT) if found else None


def data_names(domains: Iterable[str]) -> list[str]:
    """What the data of a cell may be called: a domain, or all but one."""
    names = list(domains)
    return names + [all_but(name) for name in names if len(names) > 1]


def spelled_out(given: Iterable[Any], domains: Iterable[str]) -> list[Any]:
    """Names of data, ``all`` and ``leave-one-domain-out`` replaced by what they stand for."""
    names = list(domains)
    stand = {LEAVE_ONE_OUT: [all_but(name) for name in names], ALL: names}
    kept = {name: stand[name] for name in stand if name not in names}
    return [one for each in given for one in (kept.get(each, [each]) if _is_name(each) else [each])]


def domains_left_out(grid: Grid) -> list[str]:
    """The domains that some cell leaves out, in the order of the grid."""
    varied = grid.vary.get("data", ())
    named = varied.values() if isinstance(varied, Mapping) else varied
    listed = (each.get("data") for each in grid.cells)
    every = [*spelled_out(named, grid.domains), grid.recipe.get("data"), *listed]
    found = {left_out(each) for each in every}
    return [name for name in grid.domains if name in found]


def pooled(domains: Mapping[str, Data], out: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The section ``data`` of a recipe with the rows of every domain but ``out``, over what all
    cells ``shared``; no row is cut off for a test, which is the domain left out."""
    others = [each for name, each in domains.items() if name != out]
    raw = {**shared, **others[0].model_dump(mode="json", exclude_unset=True, exclude={"test"})}
    raw["train"] = _sources(others, "train")
    if any(each.validation is not None for each in others):
        raw["validation"] = _sources(others, "validation")
    if isinstance(raw.get("split", {}), Mapping):
        raw["split"] = {**raw.get("split", {}), "test": 0}
    return raw


def pool_problems(domains: Mapping[str, Data], out: Sequence[str]) -> Iterator[str]:
    """What keeps the domains from being read as one, or from being left ``out``."""
    yield from _shared_sources(domains)
    pools = [[name for name in domains if name != each] for each in out]
    for field in Data.model_fields:
        if field not in (*SPLITS, *WRITTEN) and any(_differs(domains, p, field) for p in pools):
            told = ", ".join(f"{name}: {_said(each, field)}" for name, each in domains.items())
            yield (
                f"domains: {field} is not the same ({told}), and {LEAVE_ONE_OUT} reads the rows of "
                "several as one; write the files alike"
            )
    having = [name for name, each in domains.items() if each.validation is not None]
    if any(0 < sum(name in having for name in pool) < len(pool) for pool in pools):
        lacking = [name for name in domains if name not in having]
        yield (
            f"domains: {', '.join(lacking)} without validation rows beside {', '.join(having)}, "
            f"which have them; for {LEAVE_ONE_OUT} give every domain validation, or none"
        )


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _sources(domains: Sequence[Data], split: str) -> list[str]:
    given = [getattr(each, split) for each in domains]
    return [one for each in given for one in ([each] if isinstance(each, str) else each or ())]


def _differs(domains: Mapping[str, Data], pool: Sequence[str], field: str) -> bool:
    values = [getattr(domains[name], field) for name in pool]
    return any(value != values[0] for value in values)


def _said(data: Data, field: str) -> str:
    return short(data.model_dump(mode="json", include={field})[field])


def _shared_sources(domains: Mapping[str, Data]) -> Iterator[str]:
    """Files that stand in two domains: what is left out would be learned from all the same."""
    files = {
        name: {_whole(one) for split in SPLITS for one in _sources([each], split)}
        for name, each in domains.items()
    }
    for one, other in combinations(domains, 2):
        for file in sorted(files[one] & files[other]):
            yield (
                f"domains.{other}: {file} is also a source of {one}, so neither can be left out "
                "without the other; give each domain files of its own"
            )


def _whole(source: str) -> str:
    return str(whole_path(source)) if expanded(source).exists() else source
