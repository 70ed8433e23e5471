"""A trained network in front of raw values: each is read and answered once, then explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.options import defaults
from multigraft.contracts.readers import read_row
from multigraft.contracts.types import Answer, Arrays
from multigraft.contracts.units import Units
from multigraft.evaluation.explain.expected import Expected
from multigraft.evaluation.explain.graft_subject import GraftSubject, Served
from multigraft.evaluation.explain.sanity import rank_correlation
from multigraft.runtime.explain.explain import Way, explained, number_of
from multigraft.runtime.explain.explanation import Explanation
from multigraft.runtime.explain.subject import units_of


@dataclass(frozen=True, eq=False)
class AnsweredRow:
    """A row that was read, its units, and its answer."""

    place: str
    row: Arrays
    units: Mapping[str, Units]
    answer: Answer
    expected: Expected | None = None


@dataclass(frozen=True)
class Trained:
    """A network, and what makes answers of what it serves."""

    served: Served
    answers: Answers
    modality: str
    task: str

    def read(self, place: str, raw: Any) -> AnsweredRow:
        """Read and answer one value, as the bundle does. Raises RowError."""
        reader = self.served.reader
        row = read_row(reader, raw)
        (outputs,) = self.served.compute([row])
        window = Window(row, outputs, reader.length(row))
        answer = self.answers.answer(raw, [window], defaults(self.answers.asks))
        return AnsweredRow(place, row, units_of(reader, raw, row, modality=self.modality), answer)

    def explain(self, read: AnsweredRow, way: Way) -> Explanation:
        """Explain one answer. Raises PredictError where it is not one number."""
        number = number_of(self.answers, read.answer, way.of, task=self.task)
        subject = GraftSubject(
            read.row, read.units, number, self.served.compute, way.seed, served=self.served
        )
        return explained(subject, way, read.answer)

    def correlations(
        self, read: AnsweredRow, by: Mapping[str, Explanation], ways: Mapping[str, Way]
    ) -> dict[str, float]:
        """The rank correlation of each method's weights with those of the network as it is now,
        of the same answer."""
        others = {
            name: self.explain(read, replace(way, faithfulness=False)) for name, way in ways.items()
        }
        return {
            name: rank_correlation(by[name].weights, other.weights)
            for name, other in others.items()
        }
