"""Report records: frozen, and the same after a trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from multigraft.system.notebook import page_part


@dataclass(frozen=True)
class Measure:
    """A number, with the interval it lies in where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Baseline:
    """The score of an answer that does not look at its input."""

    metric: str
    """A key of `Objective.summarise`."""
    value: float
    answer: str
    """In words, behind "no better than", as ``always answering 'a'``."""

    def __str__(self) -> str:
        """Say it beside metrics.

        >>> print(Baseline("accuracy", 0.5251, "always answering 'a'"))
        accuracy 0.5251, always answering 'a'
        """
        return f"{self.metric} {self.value:.4g}, {self.answer}"


@dataclass(frozen=True)
class Confused:
    """Rows of one label that were answered with another."""

    expected: str
    answered: str
    rows: int
    of: int
    """All rows of the expected label."""


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix: answers (columns) to each true label (row); `confusion_of` makes it."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    """Empty where it would be too large to be looked at: ``frequent`` is then what is known."""
    frequent: tuple[Confused, ...] = ()
    """The most frequent errors, the largest first."""


@dataclass(frozen=True)
class WorstRow:
    """A row with a large loss, and where it stands in the data."""

    place: str
    loss: float
    expected: str | None = None
    answered: str | None = None
    content: str | None = None
    """What the model read, in short: the text, or the path of a file."""


@dataclass(frozen=True)
class Cost:
    """Cost of a verb."""

    seconds: float
    peak_memory_mb: float
    """The largest resident set of the process since it started."""
    rows_per_second: float | None = None
    waited: float | None = None
    """The share of the time that was spent waiting for data."""
    padding: float | None = None
    """The share of positions that only padded, in the last epoch."""
    saving: float | None = None
    """The share of the time that was spent writing checkpoints."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """The answer of a verb. `multigraft.evaluation.report.table` and `.page` show it, and a
    notebook as the last line of a cell."""

    verb: str
    title: str
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    baseline: Baseline | None = None
    """What one of the metrics would be without a look at the inputs."""
    curves: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """Name -> points (step, value)."""
    confusion: Confusion | None = None
    worst: tuple[WorstRow, ...] = ()
    cost: Cost | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """What it was measured on: split, rows, backbone, precision ..."""
    tables: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Further tables by title; the first row is the heading."""
    notes: tuple[str, ...] = ()
    """What was replaced, refused or left out, and why."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What was written, as ``{"bundle": "runs/x/bundle"}``."""

    def __repr__(self) -> str:
        from multigraft.contracts.report_view import line_of

        return line_of(self)

    def _repr_html_(self) -> str:
        from multigraft.contracts.report_view import view_of

        return page_part(view_of(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Report:
        """Undo `to_dict`, after JSON too. Raises ValueError for a field of another type."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(raw)
