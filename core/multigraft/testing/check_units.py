"""Checks of units: what a reader names of a row, and what explainers make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multigraft.contracts.explaining import Attribution, Explainer
from multigraft.contracts.options import defaults
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.contracts.units import UNIT_KINDS, WIDTHS, UnitReader, Units
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

TRIED = 4
"""Values that are tried."""
NEAR = 1e-4
"""How far sums of what is hidden may be apart, as a share of the largest number."""
COUNT = 6


def units(subject: Subject) -> Iterator[str]:
    """Names, places and hiding of the units of made-up values."""
    record: Modality = subject.record
    reader = subject.bench.reading(record)
    if not isinstance(reader, UnitReader):
        raise Skipped("its reader names no units")
    for raw in subject.bench.raws(record)[:TRIED]:
        row = reader.read(raw)
        found = reader.units(raw, row)
        yield from _named(found)
        yield from _hidden(row, found)


def _named(found: Units) -> Iterator[str]:
    if found.kind not in UNIT_KINDS:
        yield f"its units are {found.kind!r}; allowed: {', '.join(UNIT_KINDS)}"
        return
    wanted = (len(found), WIDTHS[found.kind])
    if not len(found) or found.places.shape != wanted:
        yield f"places are {list(found.places.shape)}; {list(wanted)} are needed, 1 or more"
    if found.kind == "words":
        for (text, first, after), name in zip(found.places.tolist(), found.names, strict=False):
            if found.shown[text][first:after] != name:
                yield f"the word {name!r} is not what stands at {first} to {after} of its text"
                return


def _hidden(row: Arrays, found: Units) -> Iterator[str]:
    count = len(found)
    same = found.hide(np.zeros(count, dtype=bool))
    if same.keys() != row.keys() or any((same[name] != row[name]).any() for name in row):
        yield "where nothing is hidden the row is another than was read"
        return
    whole = found.hide(np.ones(count, dtype=bool))
    each = [found.hide(one) for one in np.eye(count, dtype=bool)]
    for name, array in row.items():
        forms = {(one[name].shape, one[name].dtype) for one in (whole, *each)}
        if forms != {(array.shape, array.dtype)}:
            yield f"hiding changes the shape or the type of {name!r}"
        elif array.dtype.kind == "f" or array.dtype == np.uint8:
            parts = sum(array.astype(np.float64) - one[name] for one in each)
            gap = np.abs(parts - (array.astype(np.float64) - whole[name])).max(initial=0)
            if gap > NEAR * max(1.0, float(np.abs(array).max(initial=0))):
                yield f"what hiding each unit takes from {name!r} does not add up to hiding all"
    if all((whole[name] == row[name]).all() for name in row):
        yield "hiding every unit changes nothing"


@dataclass
class Additive:
    """A made-up value whose units each add a number of their own to the answer."""

    kind: Any
    seed: int = 0
    own: np.ndarray = field(default_factory=lambda: np.array([0.4, -0.3, 0.0, 0.2, 0.1, -0.1]))

    @property
    def units(self) -> Mapping[str, Units]:
        """Six of them."""
        places = np.zeros((COUNT, WIDTHS[self.kind]))
        names = tuple(map(str, range(COUNT)))
        return {"": Units(kind=self.kind, names=names, places=places, hide=self.hide)}

    @property
    def count(self) -> int:
        """How many there are."""
        return COUNT

    def hide(self, hidden: np.ndarray) -> Arrays:
        """The numbers of those that are there."""
        return {"values": (self.own * ~hidden).astype(np.float32)}

    def scores(self, hidden: np.ndarray) -> np.ndarray:
        """The sums of those that are there."""
        found: np.ndarray = (self.own * ~hidden).sum(1)
        return found


def weighs(subject: Subject) -> Iterator[str]:
    """A finite weight for each unit, the same again, larger for what raises the answer."""
    record: Explainer = subject.record
    if record.gradients:
        raise Skipped("it asks for gradients, which only a network has")
    made = Additive(kind=(record.kinds or UNIT_KINDS)[0])
    each = [record.explain(made, defaults(record.options)) for _ in range(2)]
    for found in each:
        if not isinstance(found, Attribution):
            yield f"it gave {type(found).__name__}; mg.Attribution is needed"
            return
        if np.shape(found.weights) != (COUNT,) or not np.isfinite(found.weights).all():
            yield f"it gave weights {list(np.shape(found.weights))} for {COUNT} units"
            return
    if not np.array_equal(each[0].weights, each[1].weights):
        yield "the same value has other weights the second time: draw from subject.seed"
    if np.argmax(each[0].weights) != np.argmax(made.own):
        yield "of numbers that are added up it does not give the largest the largest weight"
