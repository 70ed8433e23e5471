"""Leaderboard: systems by their metric over all domains and seeds, with ranks and costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TypeVar

import numpy as np

from multigraft.evaluation.statistics import (
    Block,
    Estimate,
    Ranks,
    average_difference,
    average_of,
    friedman,
    holm,
    over_seeds,
)
from multigraft.experiments.costs import Costs, costs_of, undominated
from multigraft.experiments.leave_one_out import LEAVE_ONE_OUT
from multigraft.experiments.summary import NAMELESS, Group, Summary

Pair = tuple[str | None, str]
"""A domain that was learned from (None: it is part of the system), and one it was tested on."""
Groups = Mapping[Pair, Group]
Key = TypeVar("Key")
FEWEST_SYSTEMS = FEWEST_BLOCKS = 3
"""Of Friedman's test."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A system: all cells that are alike in what varies, data and seed apart."""

    name: str
    measured: int
    """On how many of the leaderboard's pairs."""
    costs: Costs
    estimate: Estimate | None = None
    """Averaged over the pairs; None: it was not measured on all of them."""
    difference: Estimate | None = None
    """The metric minus the best's, paired by row; None: it is the best, or rows differ."""
    adjusted: float | None = None
    """The difference's p-value by Holm, over every pair of systems."""
    rank: float | None = None
    """The mean over blocks of a domain and a seed; None: it lacks blocks that others have."""
    front: bool = False
    """Whether no other is at least as good by the metric and every cost, and better by one."""


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Systems, the best first; those that were not measured everywhere come last."""

    metric: str
    greater: bool
    pairs: tuple[Pair, ...]
    """Each a domain that was learned from and one it was tested on: where all were measured."""
    entries: tuple[Entry, ...]
    blocks: int = 0
    """Pairs by seed, in which systems were ranked."""
    ranked: tuple[str, ...] = ()
    """The systems that were."""
    ranks: Ranks | None = None
    """Friedman's test of them; None: fewer than three systems or blocks."""


def leaderboard(summary: Summary, groups: Sequence[Group] | None = None) -> Leaderboard | None:
    """The leaderboard of an experiment, or of some of its groups; None before anything was
    measured."""
    found = _systems(summary, summary.groups if groups is None else groups)
    names, pairs = _shared(found)
    if not names:
        return None
    blocks = {name: _blocks(summary, found[name], pairs) for name in names}
    averages = {name: _average(summary, found[name], pairs, blocks[name]) for name in names}
    order = sorted(names, key=lambda name: averages[name].value, reverse=summary.greater_is_better)
    paired = all(
        summary.same_rows([found[name][pair] for name in names], pair[1]) for pair in pairs
    )
    gaps = _differences([(name, blocks[name] or ()) for name in order]) if paired else {}
    ranked, counted, means, ranks = _ranks(summary, found)
    costs = {name: costs_of(summary, list(groups.values())) for name, groups in found.items()}
    front = undominated(
        {name: (averages[name].value, costs[name]) for name in order},
        greater=summary.greater_is_better,
    )
    entries = [
        Entry(
            name=name,
            measured=sum(pair in found[name] for pair in pairs),
            costs=costs[name],
            estimate=averages.get(name),
            difference=gaps[name][0] if name in gaps else None,
            adjusted=gaps[name][1] if name in gaps else None,
            rank=means.get(name),
            front=name in front,
        )
        for name in [*order, *(name for name in found if name not in averages)]
    ]
    return Leaderboard(
        metric=str(summary.metric),
        greater=summary.greater_is_better,
        pairs=tuple(pairs),
        entries=tuple(entries),
        blocks=counted,
        ranked=tuple(ranked),
        ranks=ranks,
    )


def _systems(summary: Summary, among: Sequence[Group]) -> dict[str, Groups]:
    """Each system's groups by where they were measured. Where nothing but the data varies, what
    was learned from is the system; the trainings that leave one domain out are one."""
    names = {group.name for group in among}
    sources = {group.data for group in among}
    by_data = len(names) == 1 and len(sources) > 1
    counted = {group.whole_name for group in among}
    found: dict[str, dict[Pair, Group]] = {}
    for point in summary.points:
        if point.group.whole_name not in counted:
            continue
        source = str(point.group.data) if point.group.left_out is None else LEAVE_ONE_OUT
        name = source if by_data else point.group.name or NAMELESS
        pair = (None if by_data else point.group.data, point.domain)
        found.setdefault(name, {})[pair] = point.group
    return dict(found)


def _shared(having: Mapping[str, Mapping[Key, object]]) -> tuple[list[str], list[Key]]:
    """Who has at least half of what anybody has, and what all of those have: a baseline of one cell
    is not to take the others' from them."""
    every = dict.fromkeys(key for keys in having.values() for key in keys)
    names = [name for name, keys in having.items() if 2 * len(keys) >= len(every)]
    common = [key for key in every if all(key in having[name] for name in names)]
    return (names, common) if common else ([], [])


def _blocks(summary: Summary, groups: Groups, pairs: Sequence[Pair]) -> list[Block] | None:
    """A system on the rows of every pair; None where its seeds were tested on different rows."""
    systems = [(groups[pair], pair[1], summary.system(groups[pair], pair[1])) for pair in pairs]
    blocks = [
        Block(system=system, rows=domain, trainings=group.whole_name)
        for group, domain, system in systems
        if system is not None
    ]
    return blocks if len(blocks) == len(pairs) else None


def _average(
    summary: Summary, groups: Groups, pairs: Sequence[Pair], blocks: Sequence[Block] | None
) -> Estimate:
    if blocks is not None:
        return average_of(blocks)
    if len(pairs) == 1:
        found = summary.estimate(groups[pairs[0]], pairs[0][1])
        assert found is not None
        return found
    by_seed = [summary.values(groups[pair], pair[1]) for pair in pairs]
    common = [seed for seed in by_seed[0] if all(seed in each for each in by_seed)]
    if common:
        return over_seeds([fmean(each[seed] for each in by_seed) for seed in common])
    value = fmean(fmean(each.values()) for each in by_seed)
    return Estimate(method="mean of domains", value=value, n=len(pairs))


def _differences(
    ordered: Sequence[tuple[str, Sequence[Block]]],
) -> dict[str, tuple[Estimate, float]]:
    """Each system minus the first, which these rows chose: so every pair counts as tested."""
    found: dict[tuple[str, str], Estimate] = {
        (name, other): average_difference(second, first)
        for (other, first), (name, second) in combinations(ordered, 2)
    }
    if not found:
        return {}
    adjusted = holm([1.0 if each.p is None else each.p for each in found.values()]).tolist()
    best = ordered[0][0]
    told = zip(found.items(), adjusted, strict=True)
    return {name: (gap, p) for ((name, to), gap), p in told if to == best}


def _ranks(
    summary: Summary, found: Mapping[str, Groups]
) -> tuple[list[str], int, dict[str, float], Ranks | None]:
    """The systems that were ranked, in how many blocks, their mean ranks, and Friedman's test."""
    names, blocks = _shared({name: dict(_scores(summary, each)) for name, each in found.items()})
    if len(names) < 2:
        return [], 0, {}, None
    by_name = {name: dict(_scores(summary, found[name])) for name in names}
    scores = np.array([[by_name[name][block] for name in names] for block in blocks])
    greater = summary.greater_is_better
    enough = len(names) >= FEWEST_SYSTEMS and len(blocks) >= FEWEST_BLOCKS
    ranks = friedman(scores, greater=greater) if enough else None
    means = _mean_ranks(scores, greater=greater) if ranks is None else ranks.mean_ranks
    return names, len(blocks), dict(zip(names, means.tolist(), strict=True)), ranks


def _mean_ranks(scores: np.ndarray, *, greater: bool) -> np.ndarray:
    from scipy.stats import rankdata

    means: np.ndarray = rankdata(-scores if greater else scores, axis=1).mean(0)
    return means


def _scores(summary: Summary, groups: Groups) -> Iterator[tuple[tuple[Pair, int], float]]:
    """A system's metric in each block of a pair and a seed."""
    for pair, group in groups.items():
        for seed, value in summary.values(group, pair[1]).items():
            yield (pair, seed), value
