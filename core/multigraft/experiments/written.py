"""Figures of an experiment in words: estimates, p-values, tables without empty columns."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft.contracts.numbers import figure, interval
from multigraft.contracts.report import Measure
from multigraft.evaluation.statistics import Estimate

Rows = tuple[tuple[str, ...], ...]
LEAST = 0.001
"""The least p-value that is written out."""


def p_value(p: float) -> str:
    """A p-value in two digits.

    >>> p_value(0.0314), p_value(0.00002)
    ('0.031', '<0.001')
    """
    return f"{p:.2g}" if p >= LEAST else f"<{LEAST:g}"


def parts(estimate: Estimate) -> tuple[str, str]:
    """An estimate and its interval."""
    measure = Measure(estimate.value, estimate.low, estimate.high)
    return figure(measure), interval(measure)


def told(estimate: Estimate | None) -> str:
    """An estimate with its interval, in words; empty for none."""
    if estimate is None:
        return ""
    value, ends = parts(estimate)
    return f"{value} [{ends}]" if ends else value


def filled(rows: Sequence[tuple[str, ...]]) -> Rows:
    """A table without the columns in which nothing stands."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    return tuple(zip(*columns, strict=True))
