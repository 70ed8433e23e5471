"""Candidates of a comparison: evaluated runs of one task on the same rows, and which of them differ
by the seed alone."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.errors import RunError, did_you_mean
from multigraft.runs.listing import run_folders
from multigraft.runs.recipe_changes import deciding
from multigraft.runs.record import read_record
from multigraft.runs.row_results import RowResults, read_results, results_file
from multigraft.system.resume_command import RECORD

log = logging.getLogger("multigraft")
FEWEST = 100
"""Resamples below which a comparison says nothing."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A run with what its evaluation kept."""

    folder: Path
    facts: Mapping[str, Any]
    results: RowResults

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe as the run began with it."""
        found: Mapping[str, Any] = self.facts.get("recipe", {})
        return found


def candidate(folder: Path, data: str | None = None) -> Candidate:
    """A run's facts and results. Raises RunError where it was not evaluated."""
    facts = read_record(folder)
    path = results_file(folder, data)
    if not path.exists():
        more = "" if data is None else f" --data FILE --name {data}"
        raise RunError(
            f"{folder}: keeps no results by row{'' if data is None else f' of {data!r}'}; "
            f"measure it with: multigraft evaluate {folder}{more}"
        )
    return Candidate(folder=folder, facts=facts, results=read_results(path))


def evaluated(folders: Sequence[Path], data: str | None) -> Sequence[Path]:
    """The folders of runs; of a lone one that is no run what lies in it and was evaluated."""
    if len(folders) != 1 or (folders[0] / RECORD).exists() or not folders[0].is_dir():
        return folders
    found = list(run_folders(folders[0]))
    kept = [folder for folder in found if results_file(folder, data).exists()]
    if len(kept) < len(found):
        log.warning(
            "%s: %d of %d runs were not evaluated%s, and are left out",
            *(folders[0], len(found) - len(kept), len(found), f" on {data}" if data else ""),
        )
    return kept


def check_alike(candidates: Sequence[Candidate]) -> None:
    """Raise RunError where runs cannot be compared: of other tasks, on other rows, of too few
    resamples."""
    first = candidates[0]
    for other in candidates[1:]:
        if other.results.task != first.results.task:
            raise RunError(
                f"{first.folder} is of task {first.results.task!r} and {other.folder} of "
                f"{other.results.task!r}; runs of one task are compared"
            )
        if not np.array_equal(first.results.identities, other.results.identities):
            raise RunError(_other_rows(first, other))
    for each in candidates:
        count = len(each.results.draws[each.results.metric])
        if count < FEWEST:
            raise RunError(
                f"{each.folder}: was evaluated with {count} resamples, and {FEWEST} are needed; "
                "set evaluation.bootstrap in its recipe.yaml to 1000 and evaluate it again"
            )


def _other_rows(first: Candidate, other: Candidate) -> str:
    ours, theirs = first.results.identities, other.results.identities
    lost, more = (len(np.setdiff1d(one, two)) for one, two in ((ours, theirs), (theirs, ours)))
    if not lost and not more and len(ours) == len(theirs):
        return (
            f"{first.folder} and {other.folder} were measured on the same rows in another order; "
            "measure both on one file: multigraft evaluate RUN --data FILE --name NAME"
        )
    return (
        f"{first.folder} and {other.folder} were measured on different rows: {lost} of the "
        f"{len(ours)} {first.results.data} rows of the first are not among the {len(theirs)} "
        f"{other.results.data} rows of the second, and {more} of those are not among the first's; "
        "measure both on one file: multigraft evaluate RUN --data FILE --name NAME, then "
        "multigraft compare --data NAME (rows are told apart by their column id, or else by what "
        "is read)"
    )


def grouped(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Runs that differ by the seed alone, together; a seed that is there twice begins no group
    of its own but stays alone."""
    groups: dict[str, list[Candidate]] = {}
    for place, each in enumerate(candidates):
        key = _apart_from_seed(each) if each.recipe else str(place)
        if any(each.facts.get("seed") == other.facts.get("seed") for other in groups.get(key, ())):
            key = f"{key} {place}"
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _apart_from_seed(run: Candidate) -> str:
    """All that decides a training but the seed: its recipe, and how many rows there were."""
    fields = {name: value for name, value in deciding(run.recipe).items() if name != "seed"}
    rows = sum(part.get("rows", 0) for part in run.facts.get("data", {}).values())
    return json.dumps([fields, rows, run.results.asked], sort_keys=True, default=str)


def names_of(groups: Sequence[Sequence[Candidate]]) -> list[str]:
    """A name for each group, as short as tells them apart: its folder's, or of several what their
    names begin with."""
    names = [_name(group) for group in groups]
    alike = {name for name in names if names.count(name) > 1}
    return [
        str(group[0].folder) if name in alike else name
        for name, group in zip(names, groups, strict=True)
    ]


def _name(group: Sequence[Candidate]) -> str:
    names = [each.folder.resolve().name for each in group]
    shared = "".join(signs[0] for signs in takewhile(_equal, zip(*names, strict=False)))
    common = re.sub(r"[\W_]+(s|seed)?[\W_]*\d*$|\d+$", "", shared)
    return common if names[1:] and common else names[0]


def _equal(signs: Sequence[str]) -> bool:
    return len(set(signs)) == 1


def group_of(baseline: Path, named: Mapping[str, Sequence[Candidate]]) -> str:
    """The name of the group that holds the baseline. Raises RunError."""
    for name, group in named.items():
        if name == str(baseline) or any(
            each.folder.resolve() == baseline.resolve() for each in group
        ):
            return name
    raise RunError(
        f"--baseline {baseline}: is none of the runs; {did_you_mean(str(baseline), named)}"
    )


def listed(candidates: Sequence[Candidate]) -> str:
    return ", ".join(str(each.folder) for each in candidates)
