"""A strategy for multigraft. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Sequence

import multigraft as mg

requires_multigraft = ">=0.1,<0.2"


@mg.hookimpl
def register_strategies() -> Sequence[mg.Strategy]:
    """Every second block learns, or every third."""
    every = mg.Option(default=2, low=1, help="one block in so many learns, counted from the last")
    factor = mg.Option(
        default=1.0, low=0, high=1, help="of the head's rate, for the blocks that learn"
    )
    return [
        mg.Strategy(
            name="sapling",
            plan=mg.Lazy("multigraft_sapling.plan:some_blocks"),
            options={"every": every, "factor": factor},
        )
    ]
