"""Transfer between domains: every source on every target, beside what the target has of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multigraft.evaluation.statistics import Estimate
from multigraft.experiments.summary import Group, Summary

APART = ("backbone", "strategy")
"""Fields in which a training from scratch may differ from what it is the baseline of."""


@dataclass(frozen=True)
class Transfer:
    """What was learned from one domain, on another or the same."""

    group: Group
    target: str
    estimate: Estimate
    over_own: Estimate | None = None
    """Minus the model that learned from the target's rows with the same recipe; None: there is
    none, it is this one, or they were not tested on the same rows."""
    over_scratch: Estimate | None = None
    """Minus the model that learned from the target's rows without pretrained weights."""
    greater_is_better: bool = True

    @property
    def source(self) -> str:
        """The domain that was learned from."""
        return str(self.group.data)

    @property
    def relative(self) -> float | None:
        """The difference to the target's own model as a share of what that one has."""
        if self.over_own is None or self.estimate.value == self.over_own.value:
            return None
        return self.over_own.value / abs(self.estimate.value - self.over_own.value)

    @property
    def negative(self) -> bool:
        """Negative transfer: surely worse than learning the target from scratch (Wang et al. 2019,
        whose baseline too is a training on the target's rows alone)."""
        gap = self.over_scratch
        if gap is None or gap.low is None or gap.high is None:
            return False
        return gap.high < 0 if self.greater_is_better else gap.low > 0


def transfers(summary: Summary) -> list[Transfer]:
    """Every source on every target on which it was measured; empty where no data are named."""
    groups = [group for group in summary.groups if group.data is not None]
    return [
        Transfer(
            group,
            target,
            estimate,
            _over(summary, group, _own(groups, group, target), target),
            _over(summary, group, _scratch(groups, group, target), target),
            summary.greater_is_better,
        )
        for group in groups
        for target in summary.domains
        if (estimate := summary.estimate(group, target)) is not None
    ]


def _over(summary: Summary, group: Group, other: Group | None, target: str) -> Estimate | None:
    if other is None or other is group:
        return None
    return summary.difference(group, other, target)


def _own(groups: Sequence[Group], group: Group, target: str) -> Group | None:
    """The group that learned from the target and is alike in all else."""
    return next((each for each in groups if each.data == target and each.name == group.name), None)


def _scratch(groups: Sequence[Group], group: Group, target: str) -> Group | None:
    """The training from scratch on the target's rows that is most like the group."""
    if group.scratch:
        return None
    found = [
        each for each in groups if each.scratch and each.data == target and _alike(each, group)
    ]
    return max(found, key=lambda each: _shared(each, group), default=None)


def _alike(one: Group, other: Group) -> bool:
    fields = [name for name in one.varied if name.partition(".")[0] not in (*APART, "data")]
    return all(one.varied[name] == other.varied[name] for name in fields)


def _shared(one: Group, other: Group) -> int:
    return sum(one.varied[name] == other.varied[name] for name in one.varied)
