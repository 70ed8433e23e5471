"""Faults of tasks and strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

import multigraft as mg
from multigraft.contracts.plan import Plan
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.class_rows import ClassRows
from multigraft.models.tasks.classification import Classification


class NoNumber(Classification):
    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {**super().summarise(kept), "surprise": float("nan")}


class BeyondOne(Classification):
    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        found = super().summarise(kept)
        return {**found, "accuracy": 100 * found["accuracy"] + 2}


class HalfAsRight(ClassRows):
    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        found = super().summarise(kept)
        return {**found, "accuracy": found["accuracy"] / 2 + 0.2}


class GlobalChance(Classification):
    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        return {**batch, "values": batch["values"] + np.float32(np.random.normal())}


class WritesRow(Classification):
    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        values = row["values"]
        values.flags.writeable = True
        values += 1
        return row


class Summed(Classification):
    def loss(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> mg.RowLoss:
        found = super().loss(outputs, batch)
        return mg.RowLoss(found.total.sum(), found.weight.sum())


class Cut(Classification):
    def loss(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> mg.RowLoss:
        found = super().loss(outputs, batch)
        return mg.RowLoss(found.total.detach(), found.weight)


class Stateful(Classification):
    calls = 0

    def loss(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> mg.RowLoss:
        self.calls += 1
        found = super().loss(outputs, batch)
        return mg.RowLoss(found.total * (1 + self.calls % 5), found.weight)


class Own(mg.Answers):
    """Answers of the plugin's own."""

    def __init__(self, targets: Any) -> None:
        self.labels = targets["labels"]


class NumpyAnswer(Own):
    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        return {"score": windows[0].outputs["probabilities"].max()}


class ListAnswer(Own):
    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        return windows[0].outputs["probabilities"].tolist()


class Ranked(Own):
    """The labels, best first, and scores without a fault."""

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        order = np.argsort(-windows[0].outputs["probabilities"])
        return {"ranks": {self.labels[place]: rank for rank, place in enumerate(order.tolist())}}

    def score(self, answer: dict[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"rank": np.array([answer["ranks"][row["label"]], 1])}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {"mean_rank": float(kept["rank"][:, 0].mean())}


class RaggedScores(Ranked):
    def score(self, answer: dict[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"rank": np.ones(len(row["readings"]))}


class UnplainScores(Ranked):
    """They read what JSON does not keep: here a key that is a number."""

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        return {"scores": dict(enumerate(windows[0].outputs["probabilities"].tolist()))}

    def score(self, answer: dict[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
        place = self.labels.index(row["label"])
        return {"rank": np.array([answer["scores"].get(place, -1.0)])}


class Remembers(Ranked):
    """They turn from call to call."""

    def __init__(self, targets: Any) -> None:
        super().__init__(targets)
        self.calls = 0

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        self.calls += 1
        labels = self.labels[:: -1 if self.calls % 3 else 1]
        return {"ranks": {label: rank for rank, label in enumerate(labels)}}


class Unjoined(Ranked):
    """Read in windows, of which the first one alone is looked at."""

    windows = True


class NoScoreOfOne(Ranked):
    """A mean over what may be nothing."""

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {"mean_rank": float(np.var(kept["rank"][:, 0], ddof=1))}


def by_one_name(plan: Plan, options: Mapping[str, Any]) -> Plan:
    rules = {
        name: replace(rule, learns=name.endswith("norm.weight"))
        for name, rule in plan.rules.items()
    }
    rules.pop(next(iter(rules)))
    return replace(plan, rules=rules)


def at_its_bound(plan: Plan, options: Mapping[str, Any]) -> Plan:
    share = 1 / options["every"]
    return plan.change(lambda block, name, rule: replace(rule, scale=share))


def in_place(plan: Plan, options: Mapping[str, Any]) -> Plan:
    for name, rule in plan.rules.items():
        plan.rules[name] = replace(rule, scale=rule.scale / 2)  # type: ignore[index]
    return plan


def nothing(plan: Plan, options: Mapping[str, Any]) -> Plan:
    return Plan(
        plan.graft, {name: replace(rule, learns=False) for name, rule in plan.rules.items()}
    )
