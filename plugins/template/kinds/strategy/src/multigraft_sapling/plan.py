"""Which parameters learn, and how fast: a plan becomes another plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from multigraft.contracts.plan import Plan, Rule


def some_blocks(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """Let one block in ``every`` learn, counted from the last, and what comes after the blocks.

    ``rule`` is what an earlier strategy of the list decided: what it froze stays frozen.
    """

    def changed(block: int, name: str, rule: Rule) -> Rule:
        chosen = block == plan.depth or (plan.depth - 1 - block) % options["every"] == 0
        return replace(rule, learns=rule.learns and chosen, scale=rule.scale * options["factor"])

    return plan.change(changed)
