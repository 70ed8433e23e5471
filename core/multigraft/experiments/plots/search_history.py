"""Search history: the validation metric of each trial, and the best so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from multigraft.evaluation.report.axes import Point
from multigraft.evaluation.report.charts import line_chart
from multigraft.experiments.search.outcome import Tried, by_study


def search_plots(trials: Sequence[Tried]) -> Iterator[tuple[str, str]]:
    """A plot for each study: its title, and the SVG."""
    for study, some in by_study(trials).items():
        ended = [each for each in some if each.state == "complete" and each.value is not None]
        if ended:
            metric = ended[0].metric
            series = {"best so far": _best(ended), f"validation {metric}": _values(ended)}
            yield study, line_chart(series, title=f"{study}: {metric}", x_label="trial")


def _values(trials: Sequence[Tried]) -> list[Point]:
    return [(float(each.number), float(each.value or 0)) for each in trials]


def _best(trials: Sequence[Tried]) -> list[Point]:
    """The running best, as steps."""
    values = [value for _, value in _values(trials)]
    best = list(accumulate(values, max if trials[0].greater else min))
    numbers = [float(each.number) for each in trials]
    before = zip(numbers[1:], best, strict=False)
    steps = [[(number, value)] for number, value in zip(numbers, best, strict=True)]
    for step, corner in zip(steps[1:], before, strict=True):
        step.insert(0, corner)
    return [point for step in steps for point in step]
