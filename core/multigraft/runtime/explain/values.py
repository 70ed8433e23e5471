"""Explanations of a bundle's answers: `Predictor.explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from multigraft.contracts.answers import Window, explains
from multigraft.contracts.branches import BranchesReader
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import read_row
from multigraft.contracts.records import Option
from multigraft.contracts.units import UnitReader
from multigraft.errors import PredictError, RowError
from multigraft.runtime.describing import check_columns
from multigraft.runtime.explain.explain import USUAL, Way, explained, number_of, refusal, way_of
from multigraft.runtime.explain.explanation import Explanation
from multigraft.runtime.explain.precise import ExplainingGraph, explaining_graph
from multigraft.runtime.explain.subject import RowSubject, nameless, units_of
from multigraft.runtime.given_values import given_values
from multigraft.runtime.read_value import ReadValue, is_many

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor


def explain(
    self: Predictor,
    raw: Any,
    *,
    method: str = USUAL,
    of: str | float | None = None,
    faithfulness: bool = False,
    seed: int = 0,
    **options: Any,
) -> Any:
    """Explain the answer to one value, or to each of many: an `Explanation`, whose ``weights`` say
    how much each unit of the value (word, patch, time-frequency cell, field) raises the number
    that is answered.

    ``method`` is ``occlusion``, ``lime``, or a plugin's that asks for no gradients; ``options``
    are its own. ``of`` is the label, or the number of a regression, that is explained; unset, the
    one answered. ``faithfulness`` measures how the answer falls where units are hidden in the order
    of their weights, against random orders. An int8 graph's answers are explained by the bundle's
    fp32 one, which is opened for it, where it has that: ``precision`` says which. Of a value longer
    than a row the row's beginning is explained.

    Raises PredictError for what cannot be explained, RowError for what cannot be read.
    """
    asked: dict[str, Any] = {"of": of, "faithfulness": faithfulness, "seed": seed}
    way = way_of(self.explainers, method, options, gradients=False, **asked)
    check_explains(self)
    raw = given_values(raw, self.bundle, self.modality)
    graph = explaining_graph(self)
    if not is_many(raw):
        return explain_value(self, raw, way, graph)
    return [_numbered(self, each, way, graph, number) for number, each in enumerate(raw)]


def check_explains(predictor: Predictor) -> None:
    """Raise PredictError where a bundle's answers are not one number."""
    if predictor.writer is not None or not explains(predictor.maker):
        raise PredictError(refusal(predictor.bundle.task))


def can_explain(predictor: Predictor) -> bool:
    """Whether a bundle's answers are explained, and its values have units."""
    known = predictor.writer is None and explains(predictor.maker)
    return known and all(isinstance(each, UnitReader) for each in _readers(predictor.reader))


def why_unexplained(predictor: Predictor) -> str:
    """Why a bundle's answers are not explained."""
    if predictor.writer is not None or not explains(predictor.maker):
        return refusal(predictor.bundle.task)
    return nameless(predictor.modality.name)


def explanation_asks(predictor: Predictor) -> dict[str, Option]:
    """What may be asked of an explanation over HTTP."""
    names = tuple(each.name for each in predictor.explainers if not each.gradients)
    return {
        "method": Option(default=USUAL, choices=names, help="how units are weighed"),
        "of": Option(
            default=None,
            types=(str,),
            help="the label, or the number of a regression, that is explained; unset: the answer",
        ),
        "faithfulness": Option(
            default=False, help="measure it against random orders; takes some 80 further rows"
        ),
        "seed": Option(default=0, low=0, high=2**31, help="what all chance follows from"),
    }


def asked_way(predictor: Predictor, asked: Mapping[str, Any]) -> Way:
    """How values are explained, from what was asked by `explanation_asks`."""
    settings = {name: value for name, value in asked.items() if name != "method"}
    return way_of(predictor.explainers, asked["method"], {}, gradients=False, **settings)


def explain_value(predictor: Predictor, raw: Any, way: Way, graph: ExplainingGraph) -> Explanation:
    """Explain the answer to one value by what ``graph`` computes."""
    check_columns(predictor.bundle.columns, raw)
    row = read_row(predictor.reader, raw)
    (outputs,) = graph.answers([row])
    window = Window(row, outputs, predictor.reader.length(row))
    answer = predictor.answer(ReadValue(raw, (row,), predictor.check({})), [window])
    subject = RowSubject(
        row=row,
        units=units_of(predictor.reader, raw, row, modality=predictor.modality.name),
        number_in=number_of(predictor.maker, answer, way.of, task=predictor.bundle.task),
        compute=graph.compute,
        seed=way.seed,
    )
    answered = subject.number_of(outputs) if graph.another else None
    return explained(subject, way, answer, precision=graph.precision, answered=answered)


def _numbered(
    predictor: Predictor, raw: Any, way: Way, graph: ExplainingGraph, number: int
) -> Explanation:
    try:
        return explain_value(predictor, raw, way, graph)
    except RowError as error:
        raise RowError(f"item {number}: {error}") from error


def _readers(reader: Reader) -> list[Reader]:
    if isinstance(reader, BranchesReader):
        return [each.own for each in reader.branches.values()]
    return [reader]
