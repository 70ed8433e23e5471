"""Average of a metric over domains, with an interval for other rows and other seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.evaluation.statistics.estimate import Estimate
from multigraft.evaluation.statistics.means import Part, freedom, half_width, row_variance
from multigraft.evaluation.statistics.paired import t_p
from multigraft.evaluation.statistics.systems import System, difference_of, estimate_of


@dataclass(frozen=True, kw_only=True)
class Block:
    """A system on the rows of one domain."""

    system: System
    rows: str
    """Which rows: blocks of the same rows share their resamples."""
    trainings: str = ""
    """Which trainings: blocks of the same trainings share their seeds."""


Weighted = tuple[float, Block]


def average_of(blocks: Sequence[Block], *, confidence: float = 0.95) -> Estimate:
    """The metric of one system, averaged over blocks that weigh the same.

    Rows of different domains are independent, and so are different trainings: their variances add
    (Satterthwaite 1946 gives the degrees of freedom). Raises ValueError for no block.
    """
    _check(blocks)
    if len(blocks) == 1:
        return estimate_of(blocks[0].system, confidence=confidence)
    weighted = [(1 / len(blocks), block) for block in blocks]
    return _combined(weighted, "average over domains", confidence, tested=False)


def average_difference(
    first: Sequence[Block], second: Sequence[Block], *, confidence: float = 0.95
) -> Estimate:
    """First minus second, averaged over blocks, paired by row within each domain.

    Both have the same rows, block by block. Raises ValueError where they have not.
    """
    _check(first)
    if [each.rows for each in first] != [each.rows for each in second]:
        raise ValueError("blocks are of other rows; give both systems on the same, in one order")
    if len(first) == 1:
        return difference_of(first[0].system, second[0].system, confidence=confidence)
    share = 1 / len(first)
    weighted = [*((share, each) for each in first), *((-share, each) for each in second)]
    return _combined(weighted, "average paired difference over domains", confidence, tested=True)


def _combined(
    weighted: Sequence[Weighted], method: str, confidence: float, *, tested: bool
) -> Estimate:
    value = sum(weight * float(block.system.values.mean()) for weight, block in weighted)
    parts = [*_row_parts(weighted), *_seed_parts(weighted)]
    half = half_width(parts, confidence)
    error = sum(part for part, _ in parts) ** 0.5
    return Estimate(
        method=f"{method}, bootstrap over rows with Student's t over seeds",
        value=value,
        low=value - half,
        high=value + half,
        p=t_p(value, error, freedom(parts)) if tested else None,
        n=sum({block.rows: block.system.rows for _, block in weighted}.values()),
        seeds=min(len(block.system.values) for _, block in weighted),
        confidence=confidence,
    )


def _row_parts(weighted: Sequence[Weighted]) -> Iterator[Part]:
    """The variance by the rows of each domain, of what all blocks on them make together."""
    for name in dict.fromkeys(block.rows for _, block in weighted):
        some = [(weight, block.system) for weight, block in weighted if block.rows == name]
        count = min(system.draws.shape[1] for _, system in some)
        draws = sum(weight * system.draws[:, :count].mean(0) for weight, system in some)
        yield row_variance(np.asarray(draws), rows=some[0][1].rows)


def _seed_parts(weighted: Sequence[Weighted]) -> Iterator[Part]:
    """The variance by the seeds of each training, where there are several."""
    keys = dict.fromkeys((weight > 0, block.trainings) for weight, block in weighted)
    for first, name in keys:
        some = [
            weight * block.system.values
            for weight, block in weighted
            if (weight > 0, block.trainings) == (first, name)
        ]
        seeds = min(map(len, some))
        if seeds > 1:
            together = np.sum([values[:seeds] for values in some], axis=0)
            yield float(together.var(ddof=1)) / seeds, seeds - 1


def _check(blocks: Sequence[Block]) -> None:
    if not blocks:
        raise ValueError("no block; give a system on the rows of one domain at least")
    sizes: dict[str, int] = {}
    for block in blocks:
        if sizes.setdefault(block.rows, block.system.rows) != block.system.rows:
            raise ValueError(f"blocks on {block.rows} have not the same number of rows")
