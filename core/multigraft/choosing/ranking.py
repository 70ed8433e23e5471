"""A ranking of backbones: their scores and costs, which is first, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from multigraft.choosing.scores import SCORES
from multigraft.contracts.report import Report
from multigraft.evaluation.report.formats import FORMATS

SURE, POSSIBLE = 0.95, 0.05
"""From which share of the half-samples a first place is clear, and from which one is possible."""


@dataclass(frozen=True, kw_only=True)
class ScoredBackbone:
    """One backbone: its scores on the sample, and what it costs."""

    name: str
    scores: Mapping[str, float]
    """By name; the larger the better. A score that is not defined is left out."""
    first: float
    """In which share of the half-samples it has the highest score."""
    classes: int | None
    """Of the classifier that its weights bring along; None: they bring none."""
    width: int
    parameters: int
    milliseconds: float
    """A row, in a batch of 8."""
    megabytes: float
    seconds: float
    """Of reading the sample, computing its features, and the answers of neighbours and probe."""


@dataclass(frozen=True, kw_only=True)
class BackboneRanking:
    """Backbones by one score on the same rows, the best first."""

    task: str
    by: str
    """The score that ranks, a key of `ScoredBackbone.scores`."""
    rows: int
    seed: int
    draws: int
    """Half-samples on which the ranking was made again."""
    seconds: float
    backbones: tuple[ScoredBackbone, ...]
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> ScoredBackbone:
        """The first."""
        return self.backbones[0]

    @property
    def clear(self) -> bool:
        """Whether the first is so in 95% of the half-samples."""
        return self.best.first >= SURE

    @property
    def advice(self) -> str:
        """What to train, in a sentence."""
        told = f"{self.best.name} is first by {SCORES[self.by]}"
        if self.clear:
            return f"{told}, and in {self.best.first:.0%} of {self.draws} half-samples: train it"
        others = [each for each in self.backbones if each.first >= POSSIBLE]
        listed = ", ".join(f"{each.name} in {each.first:.0%}" for each in others)
        return (
            f"{told}, but these {self.rows} rows do not settle it (first: {listed} of {self.draws} "
            "half-samples): score more rows, or train these"
        )

    def report(self) -> Report:
        """The ranking as a report for a terminal."""
        return Report(
            verb="choose",
            title=f"{self.task}: {len(self.backbones)} backbones",
            facts={
                "rows": f"{self.rows:,}, drawn with seed {self.seed}",
                "seconds": f"{self.seconds:.1f}",
                "advice": self.advice,
            },
            tables={"scores of frozen features": _table(self), "costs": _costs(self.backbones)},
            notes=self.notes,
        )

    def to(self, form: str) -> str:
        """The scores and costs as ``markdown``, ``latex`` or ``csv``."""
        costs = [line[1:] for line in _costs(self.backbones)]
        joined = [(*one, *other) for one, other in zip(_table(self), costs, strict=True)]
        return FORMATS[form](joined)

    def __str__(self) -> str:
        return f"{self.to('markdown')}\n{self.advice}\n"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready data."""
        return {**asdict(self), "best": self.best.name, "clear": self.clear, "advice": self.advice}


def _table(ranking: BackboneRanking) -> tuple[tuple[str, ...], ...]:
    names = [name for name in SCORES if any(name in each.scores for each in ranking.backbones)]
    heading = ("backbone", *(SCORES[name] for name in names), "first")
    lines = [
        (each.name, *(_figure(each.scores.get(name)) for name in names), f"{each.first:.0%}")
        for each in ranking.backbones
    ]
    return (heading, *lines)


def _costs(backbones: Sequence[ScoredBackbone]) -> tuple[tuple[str, ...], ...]:
    lines = [
        (
            each.name,
            f"{each.parameters / 1e6:.3g} M",
            f"{each.milliseconds:.3g}",
            f"{each.megabytes:.4g}",
        )
        for each in backbones
    ]
    return (("backbone", "parameters", "ms a row", "MB"), *lines)


def _figure(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
