"""Strategies: functions of a plan that say what learns of a backbone, and at which rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from multigraft.contracts.plan import Plan
from multigraft.errors import RecipeError


def full(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Everything learns."""
    return plan


def linear_probe(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Only the head learns (Alain & Bengio 2016)."""
    return plan.change(lambda block, name, rule: replace(rule, learns=False))


def partial(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """The last ``blocks`` blocks, what follows them, and the head learn."""
    count: int = options["blocks"]
    if count > plan.depth:
        raise RecipeError(
            [f"strategy: partial.blocks is {count}, but the backbone has {plan.depth} blocks"]
        )
    first = plan.depth - count
    return plan.change(
        lambda block, name, rule: rule if block >= first else replace(rule, learns=False)
    )


def gradual_unfreezing(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Unfreeze the head first, then block after block from the last (Howard & Ruder 2018, 3.3).

    The blocks begin at even distances, the first of the network at the share ``until``.
    """
    steps = plan.depth + 1
    until: float = options["until"]
    return plan.change(
        lambda block, name, rule: replace(rule, start=until * (steps - block) / steps)
    )


def layer_wise_decay(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Give each block ``decay`` times the rate of the next (Clark et al. 2020, appendix A)."""
    decay: float = options["decay"]
    return plan.change(
        lambda block, name, rule: replace(rule, scale=rule.scale * decay ** (plan.depth - block))
    )


def bitfit(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Only biases and the head learn (Ben Zaken et al. 2022)."""
    return plan.change(
        lambda block, name, rule: replace(rule, learns=rule.learns and name.endswith("bias"))
    )
