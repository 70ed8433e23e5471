"""What each figure of explanations means, in a line beside the table that holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from multigraft.evaluation.explain.explanations import COMMON, DELETION, INSERTION, OWN, SANITY

if TYPE_CHECKING:
    from multigraft.evaluation.explain.explanations import Explanations

LINES = {
    DELETION: "how much faster the number falls when the units of the largest weights are hidden "
    "first, than in random orders; it should be above 0",
    INSERTION: "how much faster it rises when, all being hidden, those are shown first, than in "
    "random orders; it should be above 0",
    SANITY: "rank correlation with the explanations of a network whose weights were shuffled; it "
    "should be near 0, else the method shows the input and not what was learned",
}
TOLD = {
    "r2": "r2, how much of the answers a linear model explains",
    "steps": "steps, between everything hidden and the row",
    "completeness_error": "completeness error, what the weights' sum lacks",
    "quadrature_error": "quadrature error, what twice the steps moved",
}


def meanings(found: Explanations) -> Iterator[tuple[str, str]]:
    """The headings of the table of methods, with a line for each that stands in it."""
    known = found.known()
    for name, line in LINES.items():
        if name in known:
            yield COMMON[name], line
    own = [TOLD.get(name, name.replace("_", " ")) for name in known if name not in COMMON]
    if own:
        yield OWN, f"what a method tells of itself: {'; '.join(own)}"
