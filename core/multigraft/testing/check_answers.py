"""Checks of a task's answers: what its bundle says, what they score, and what evaluation says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer
from multigraft.evaluation.answer_scores import AnswerKeeper, Metrics, joined, score_rows
from multigraft.evaluation.measure import measure_split
from multigraft.runs.run import Run
from multigraft.runtime.answers import make_answers
from multigraft.testing.arrays import NEAR, alike, gap
from multigraft.testing.check_positions import InWindows
from multigraft.testing.check_row_objective import without_torch
from multigraft.testing.check_task import predictor_of, raws_of, sensible, trained
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

ASKED = 4
EQUAL = 1e-9
"""How far figures of the same answers may lie apart."""


def answers(subject: Subject) -> Iterator[str]:
    """Its bundle answers made-up values with what JSON can hold, a row each, alone as together."""
    predictor, raws = predictor_of(subject), raws_of(subject, ASKED)
    found = predictor.predict(raws)
    if len(found) != ASKED:
        yield f"{len(found)} answers for {ASKED} values"
    for raw, answer in zip(raws, found, strict=False):
        if not isinstance(answer, dict):
            yield f"an answer is {type(answer).__name__}; a dict is needed"
            return
        try:
            json.dumps(answer, allow_nan=False)
        except (TypeError, ValueError) as error:
            yield f"an answer is no JSON: {error}"
            return
        if not alike(answer, predictor.predict(raw)):
            yield (
                "a value is answered otherwise beside longer ones than alone: its answer reads "
                "padding"
            )
            return


def scored(subject: Subject) -> Iterator[str]:
    """Every row's scores have one shape, follow from an answer's JSON, and give finite metrics."""
    run = trained(subject)
    answers = run.metrics.answers
    if answers is None:
        raise Skipped("its answers have no scores")
    rows = run.rows[run.held_out()]
    numbers = np.arange(len(rows))
    made = predictor_of(subject).predict([rows.raw(number) for number in numbers.tolist()])
    one, other = (
        score_rows(answers, rows, numbers, found) for found in (made, json.loads(json.dumps(made)))
    )
    if found := gap(one, other):
        yield f"score gives something else for an answer that was JSON: {found}"
    kept = measure_split(run.graft, run.metrics, rows, **run.reading())
    for some in (kept, {name: array[:1] for name, array in kept.items()}):
        yield from sensible(run.metrics.summarise(some))


def figures(subject: Subject) -> Iterator[str]:
    """Evaluation answers the held-out rows as the bundle does, and gives its answers' figures."""
    run = trained(subject)
    if run.resolved.task.answers is None:
        raise Skipped("it has no answers of its own")
    answers = run.metrics.answers or make_answers(run.resolved.task, run.targets)
    rows, keep = run.rows[run.held_out()], AnswerKeeper(answers)
    numbers = np.arange(len(rows))
    kept = measure_split(run.graft, run.metrics, rows, keep=keep, **run.reading())
    told = predictor_of(subject).predict([rows.raw(number) for number in numbers.tolist()])
    for number, answer in enumerate(told):
        if not alike(keep.kept[number], answer):
            yield (
                f"{rows.place(number)} is answered {_short(keep.kept[number])} in evaluation, and "
                f"{_short(answer)} by the bundle"
            )
            return
    yield from without_torch(predictor_of(subject), run, run.metrics.summarise(kept))
    if run.metrics.answers is None:
        return  # its metrics are the objective's
    same = told == [keep.kept[number] for number in range(len(rows))]
    wanted = _figures(run, answers, told)
    for name, value in answers.summarise(kept).items():
        if not np.isclose(value, wanted[name], rtol=0, atol=EQUAL if same else NEAR):
            yield f"{name} is {value:g} in evaluation, and {wanted[name]:g} of the bundle's answers"


def _figures(run: Run, answers: Answers, told: Sequence[Answer]) -> Mapping[str, float]:
    """The metrics of answers that were given elsewhere to the held-out rows."""
    rows = run.rows[run.held_out()]
    measured = measure_split(run.graft, Metrics(run.objective, None), rows, **run.reading())
    scores = score_rows(answers, rows, np.arange(len(rows)), told)
    return answers.summarise(run.metrics.together(joined(measured, scores)))


def _short(answer: Answer) -> str:
    text = json.dumps(answer, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


class _Counts(Answers):
    """Answers that keep how many windows each was made of."""

    def __init__(self, counts: list[int], inner: Answers) -> None:
        self.inner, self.counts = inner, counts
        self.asks, self.joins, self.windows = inner.asks, inner.joins, inner.windows

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        self.counts.append(len(windows))
        return self.inner.answer(raw, windows, asked)


def asked_windows(subject: Subject) -> Iterator[str]:
    """A value that is cut is answered from as many windows as were asked for."""
    if subject.record.answers is None:
        raise Skipped("its answers join no windows")
    predictor = predictor_of(subject)
    if predictor.writer is not None:
        raise Skipped("its texts are written of a row alone")
    if predictor.windows and not predictor.joins:
        yield "windows is set and joins is not: an answer can be made of one window only"
        return
    if not predictor.joins:
        raise Skipped("its answers join no windows")
    raw, other = raws_of(subject, 2)
    asks: dict[Literal["window", "truncate"] | None, int] = {"window": 2, "truncate": 1}
    for long, wanted in {**asks, None: 2 if predictor.windows else 1}.items():
        found: list[int] = []
        asked = predictor.with_reader(InWindows(predictor.reader, other), partial(_Counts, found))
        asked.predict(raw, long=long)
        if found != [wanted]:
            yield f"long={long!r} answers a value of two windows from {found}; {wanted} are wanted"
