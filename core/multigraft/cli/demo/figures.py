"""The demo's numbers in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multigraft.cli.demo.story import Ending
from multigraft.contracts.report import Measure, Report
from multigraft.evaluation.statistics import student

HEADING = (
    "what",
    "labels",
    "from scratch",
    "pretrained",
    "gain in points",
    "fp32",
    "int8",
    "torch ms",
    "fp32 ms",
    "int8 ms",
    "equal answers without torch",
)


@dataclass(frozen=True)
class Interval:
    """A mean with Student's 95% interval over seeds."""

    mean: float
    low: float
    high: float

    def shown(self, *, scale: float = 100, sign: str = "") -> str:
        """As text, in points of 100 unless told otherwise."""
        mean, low, high = (scale * value for value in (self.mean, self.low, self.high))
        return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def over_seeds(values: Sequence[float]) -> Interval:
    """Student's interval of the mean; the mean alone where there is one value."""
    found = student(values)
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return Interval(found.value, low, high)


def gain(ending: Ending) -> Interval:
    """Gain by pretraining, paired by seed."""
    return over_seeds([p - s for p, s in zip(ending.pretrained, ending.scratch, strict=True)])


def verdict(ending: Ending) -> str:
    """Say whether pretraining helped, in words."""
    gained = gain(ending)
    points = gained.shown(sign="+")
    name = ending.chapter.name
    what = "pretraining" if ending.chapter.published is None else "starting from published weights"
    if gained.low > 0:
        return f"{name}: {what} helped, by {points} points of accuracy"
    if gained.high < 0:
        return f"{name}: {what} did harm here, {points} points of accuracy"
    return f"{name}: no clear help from {what} here, {points} points of accuracy"


def row(ending: Ending) -> tuple[str, ...]:
    """One line of the table."""
    figures = ending.exported
    return (
        ending.chapter.name,
        str(ending.data.rows["train"]),
        over_seeds(ending.scratch).shown(),
        over_seeds(ending.pretrained).shown(),
        gain(ending).shown(sign="+"),
        *(_accuracy(figures.get(precision)) for precision in ("fp32", "int8")),
        *(_milliseconds(figures.get(name)) for name in ("torch", "fp32", "int8")),
        ", ".join(f"{name} {same}/{asked}" for name, (same, asked) in ending.agreeing.items()),
    )


def summary(endings: Sequence[Ending], *, seconds: float) -> Report:
    """The demo as one report."""
    return Report(
        verb="demo",
        title="multigraft: pretrain, finetune, export, predict",
        metrics={
            f"{ending.chapter.name} {kind}": Measure(interval.mean, interval.low, interval.high)
            for ending in endings
            for kind, values in (
                ("from scratch", ending.scratch),
                ("pretrained", ending.pretrained),
            )
            for interval in (over_seeds(values),)
        },
        facts={
            "seeds": ", ".join(f"{len(e.scratch)} of {e.chapter.name}" for e in endings),
            "intervals": "Student's, 95%, over seeds",
            "settings": "sizes and label counts were chosen on these sets, where pretraining can "
            "help",
            "time": f"{seconds:.0f} s",
            **{f"{e.chapter.name} set": "; ".join(e.data.facts.values()) for e in endings},
        },
        tables={
            "test accuracy in %, and milliseconds a row": (HEADING, *(row(e) for e in endings))
        },
        notes=tuple(verdict(ending) for ending in endings),
    )


def _accuracy(figures: dict[str, object] | None) -> str:
    if figures is None or not isinstance(figures["accuracy"], float):
        return ""
    return f"{100 * figures['accuracy']:.1f}" + ("" if figures["accepted"] else " (refused)")


def _milliseconds(figures: dict[str, object] | None) -> str:
    value = None if figures is None else figures["milliseconds"]
    return f"{value:.2f}" if isinstance(value, float) else ""
