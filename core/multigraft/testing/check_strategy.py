"""Checks of a strategy: what it plans for every small backbone that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from torch import nn

from multigraft.contracts.plan import Plan
from multigraft.contracts.records import Strategy
from multigraft.errors import MissingDependency, RecipeError
from multigraft.models.graft import Graft
from multigraft.testing.check_learning import steps_with
from multigraft.testing.checks import Skipped
from multigraft.testing.untrained import Grown, grow
from multigraft.testing.workbench import Subject


def learns(subject: Subject) -> Iterator[str]:
    """Every small backbone takes two steps under it."""
    for grown in _small(subject):
        problems = list(steps_with(grown, subject.record))
        yield from problems
        if problems:
            return  # the others would say the same


def plans(subject: Subject) -> Iterator[str]:
    """Check that a plan follows from the one before at any option, and leaves that one alone."""
    record: Strategy = subject.record
    grown = next(_small(subject))
    defaults = {name: option.default for name, option in record.options.items()}
    for name, option in record.options.items():
        for bound in (option.low, option.high):
            if bound is not None:
                value = type(option.default)(bound) if option.default is not None else bound
                yield from _planned(grown, record, {**defaults, name: value})
    start = Plan.start(Graft(grown.again(), nn.Linear(grown.module.width, 2)))
    before = dict(start.rules)
    one, other = (record.plan(replace(start), defaults) for _ in range(2))
    if dict(start.rules) != before:
        yield "it changes the plan that it was given; give a new one, as plan.change does"
    if one.rules.keys() == other.rules.keys() and dict(one.rules) != dict(other.rules):
        yield "the same plan and options give different rules"


def _planned(grown: Grown, record: Strategy, options: dict[str, Any]) -> Iterator[str]:
    start = Plan.start(Graft(grown.again(), nn.Linear(grown.module.width, 2)))
    try:
        record.plan(start, options).activate(0.5)
    except RecipeError:
        return  # says itself why these do not fit this network
    except Exception as error:
        yield f"with {options} it raises {type(error).__name__}: {error}"


def _small(subject: Subject) -> Iterator[Grown]:
    """The backbones that are quick to compute, the plugin's own first. Raises Skipped."""
    none = True
    for family in subject.bench.families():
        with suppress(MissingDependency, Skipped):
            grown = grow(subject.bench, family)
            if not grown.large:
                none = False
                yield grown
    if none:
        raise Skipped("no small backbone is installed")
