"""Explanations of several rows: what their methods are worth over all of them, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.report import Measure, Report
from multigraft.evaluation.explain.expected import Expected
from multigraft.evaluation.statistics import percentile
from multigraft.runtime.explain.explanation import Explanation
from multigraft.runtime.explain.faithfulness import Faithfulness
from multigraft.system.files import write_json

CONFIDENCE = 0.95
PAGE, RECORD = "explanations.html", "explanations.json"
DELETION, INSERTION = "deletion gain over random", "insertion gain over random"
SANITY = "rank correlation with random weights"
COMMON = {DELETION: "deletion gain", INSERTION: "insertion gain", SANITY: "random weights"}
"""What is measured of every method, and its heading in a table."""
OWN = "of its own"
"""The heading of what a method tells of itself."""


@dataclass(frozen=True, kw_only=True)
class ExplainedRow:
    """One row, by every method."""

    place: str
    """Where a person finds it, or the value itself."""
    by: Mapping[str, Explanation]
    random: Mapping[str, float] = field(default_factory=dict)
    """Of each method, the rank correlation with its weights where the network's are random; NaN
    where it has none."""
    expected: Expected | None = None
    """What its answer should have been, where its row says it."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        kept = {name: value for name, value in self.random.items() if np.isfinite(value)}
        told = {name: each.to_dict() for name, each in self.by.items()}
        wanted = {} if self.expected is None else self.expected.to_dict()
        return {
            "row": self.place,
            **wanted,
            "explanations": told,
            **({SANITY: kept} if kept else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """Of several rows, by one method or more."""

    title: str
    rows: tuple[ExplainedRow, ...]
    methods: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seed: int = 0

    def measures(self) -> dict[str, Measure]:
        """The figures of each method: means over rows with bootstrap intervals."""
        found: dict[str, Measure] = {}
        for method in self.methods:
            start = f"{method}: " if len(self.methods) > 1 else ""
            for name, values in self.figures(method).items():
                found[f"{start}{name}"] = self._mean(values)
        return found

    def figures(self, method: str) -> dict[str, np.ndarray]:
        """What is known of a method, a number a row; of rows that have one."""
        each = [row.by[method] for row in self.rows]
        measured = [one.faithfulness for one in each if one.faithfulness is not None]
        found = {
            DELETION: [one.deletion_gain for one in measured],
            INSERTION: [one.insertion_gain for one in measured],
            SANITY: [row.random.get(method, np.nan) for row in self.rows],
            **{name: [one.told[name] for one in each] for name in each[0].told},
        }
        arrays = {name: np.array(values, dtype=np.float64) for name, values in found.items()}
        finite = {name: values[np.isfinite(values)] for name, values in arrays.items()}
        return {name: values for name, values in finite.items() if len(values)}

    def known(self) -> list[str]:
        """The names of what is known of any method."""
        return list(dict.fromkeys(name for each in self.methods for name in self.figures(each)))

    def report(self, files: Mapping[str, str] | None = None) -> Report:
        """The answer of the verb, for a terminal and the run's page."""
        confidence = {"confidence": f"{CONFIDENCE:g}"} if len(self.rows) > 1 else {}
        return Report(
            verb="explain",
            title=self.title,
            metrics=self.measures() if len(self.methods) == 1 else {},
            tables={"methods": tuple(self._table())},
            facts={**self.facts, "rows": str(len(self.rows)), **confidence},
            notes=self.notes,
            files=files or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        measures = {
            name: {"value": each.value, "low": each.low, "high": each.high}
            for name, each in self.measures().items()
        }
        return {
            "title": self.title,
            "facts": dict(self.facts),
            "methods": list(self.methods),
            "measures": measures,
            "rows": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
        }

    def save(self, folder: str | Path) -> dict[str, str]:
        """Write ``explanations.html`` and ``explanations.json`` into a folder; the files by what
        they are."""
        from multigraft.evaluation.explain.page import write_explanations

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RECORD, self.to_dict())
        write_explanations(self, folder / PAGE)
        return {"page": str(folder / PAGE), "record": str(folder / RECORD)}

    def _table(self) -> Iterator[tuple[str, ...]]:
        """A line for each method: its figures with their intervals, and what it cost."""
        figures = {method: self.figures(method) for method in self.methods}
        shared = [name for name in COMMON if any(name in each for each in figures.values())]
        headings = [COMMON[name] for name in shared]
        own_there = any(set(each) - set(COMMON) for each in figures.values())
        own_heading = [OWN] if own_there else []
        yield "method", *headings, *own_heading, "calls a row", "seconds a row"
        for method, own in figures.items():
            each = [row.by[method] for row in self.rows]
            cells = [shown(self._mean(own[name])) if name in own else "" for name in shared]
            others = {name: values for name, values in own.items() if name not in COMMON}
            told = [f"{name.replace('_', ' ')} {mean.mean():.3g}" for name, mean in others.items()]
            calls = np.mean([one.calls for one in each])
            seconds = np.mean([one.seconds for one in each])
            if own_there:
                cells.append(", ".join(told))
            yield method, *cells, f"{calls:.0f}", f"{seconds:.3g}"

    def _mean(self, values: np.ndarray) -> Measure:
        count = None if len(values) > 1 else 0  # one row has no interval
        return percentile(values, count=count, confidence=CONFIDENCE, seed=self.seed)


def title_of(task: str, backbone: str) -> str:
    """What explanations are of; a backbone that is a folder by the folder's name.

    >>> title_of("text-classification", "transformers//data/minilm")
    'Explanations: text-classification with minilm'
    >>> title_of("text-classification", "transformers/org/minilm")
    'Explanations: text-classification with transformers/org/minilm'
    """
    _, folder, path = backbone.partition("//")
    return f"Explanations: {task} with {Path(path).name if folder else backbone}"


def shown(measure: Measure) -> str:
    """A figure with its interval, as a cell."""
    if measure.low is None or measure.high is None:
        return f"{measure.value:.3f}"
    return f"{measure.value:.3f} [{measure.low:.3f}, {measure.high:.3f}]"


def mean_curves(found: Sequence[Explanation], points: int = 33) -> dict[str, np.ndarray]:
    """The mean curves of deletion, insertion and random orders at shares 0 to 1: [points] each. To
    show units from the end of a random order is to hide them from its front."""
    shares = np.linspace(0, 1, points)
    measured = [each.faithfulness for each in found if each.faithfulness is not None]

    def mean(curve: Callable[[Faithfulness], np.ndarray]) -> np.ndarray:
        curves = [np.interp(shares, each.shares, curve(each)) for each in measured]
        return np.asarray(np.mean(curves, axis=0))

    random = mean(lambda each: each.random.mean(0))
    return {
        "insertion": mean(lambda each: each.insertion),
        "deletion": mean(lambda each: each.deletion),
        "random insertion": random[::-1],
        "random deletion": random,
    }
