"""Explanations of a run's answers: rows are chosen, explained, checked, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.answers import explains
from multigraft.contracts.types import Answer
from multigraft.errors import PredictError, RowError
from multigraft.evaluation.explain.expected import Expected, expected_of
from multigraft.evaluation.explain.explanations import ExplainedRow, Explanations, title_of
from multigraft.evaluation.explain.graft_subject import Served
from multigraft.evaluation.explain.sanity import randomised
from multigraft.evaluation.explain.trained import AnsweredRow, Trained
from multigraft.models.modes import evaluating
from multigraft.models.tasks.shared import label_name
from multigraft.runs.reports import keep_report
from multigraft.runtime.answers import make_answers
from multigraft.runtime.explain.explain import Way, refusal, shared_options, way_of
from multigraft.runtime.explain.explanation import Explanation
from multigraft.system.disk import explaining
from multigraft.system.lock import alone_in

if TYPE_CHECKING:
    from multigraft.runs.run import Run

FOLDER = "explanations"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person asks of a run's explanations."""

    methods: Sequence[str]
    of: str | None
    faithfulness: bool
    sanity: bool
    seed: int
    options: Mapping[str, Any]
    wrong: bool = False
    """Only held-out rows that are answered wrongly."""


def explain_run(
    run: Run, rows: int | Sequence[Any], wanted: Wanted, into: Path | None
) -> Explanations:
    """Explain held-out rows of a run, or raw values; page and record are kept in its folder, or
    ``into`` another. Raises PredictError for a task that cannot be explained, and what is wrong
    with ``wanted``; RowError where no row can be read."""
    started = time.perf_counter()
    ways = _ways(run, wanted)
    served = Served(run.graft, run.objective, run.reader)
    resolved = run.resolved
    answers = make_answers(resolved.task, run.targets)
    if not explains(answers):
        raise PredictError(refusal(resolved.task.name))
    trained = Trained(served, answers, resolved.modality.name, resolved.task.name)
    if wanted.wrong and not isinstance(rows, int):
        raise PredictError("wrong=True is about held-out rows: leave the values out")
    values = _held_out(run, wanted.seed) if isinstance(rows, int) else _given(run, rows)
    with evaluating(run.graft):
        most = rows if isinstance(rows, int) else len(rows)
        if wanted.wrong:
            run.display.begin("looking for wrong answers")
        read, notes = _read(trained, values, most, wrong=wanted.wrong)
        if not read:
            raise RowError(_why_none(notes, wrong=wanted.wrong))
        explained = tuple(_explained(run, trained, read, ways, sanity=wanted.sanity))
    found = Explanations(
        title=title_of(run.resolved.task.name, run.recipe.backbone_name),
        rows=explained,
        methods=tuple(wanted.methods),
        facts={
            "run": str(run.folder),
            "task": run.resolved.task.name,
            "backbone": run.recipe.backbone_name,
            "strategy": run.recipe.strategy_name,
            "explained rows": str(len(explained)),
            "seconds": f"{time.perf_counter() - started:.3g}",
        },
        notes=tuple(notes),
        seed=wanted.seed,
    )
    with explaining(run.folder), alone_in(run.folder):
        files = found.save(into or run.folder / FOLDER)
        keep_report(found.report(files), run.folder)
    return found


def _ways(run: Run, wanted: Wanted) -> dict[str, Way]:
    """The methods by name. Raises PredictError."""
    explainers = run.catalog.explainers()
    asked: dict[str, Any] = {
        "of": wanted.of,
        "faithfulness": wanted.faithfulness,
        "seed": wanted.seed,
    }
    return {
        method: way_of(explainers, method, options, gradients=True, **asked)
        for method, options in shared_options(explainers, wanted.methods, wanted.options).items()
    }


@dataclass(frozen=True)
class _Value:
    """A value to explain."""

    number: int
    place: str
    raw: Any
    expected: Callable[[Answer], Expected | None] = lambda answer: None
    """What its answer should have been, where its row says it."""


def _held_out(run: Run, seed: int) -> Iterator[_Value]:
    """The held-out rows in random order."""
    held, columns = run.rows[run.held_out()], run.resolved.task.columns
    for number in np.random.default_rng(seed).permutation(len(held)).tolist():
        expected = partial(expected_of, held.row(number), columns, named=label_name)
        yield _Value(number, held.place(number), held.raw(number), expected)


def _given(run: Run, rows: Sequence[Any]) -> Iterator[_Value]:
    """Raw values by their files' names, or by their numbers."""
    files = bool(run.resolved.modality.suffixes)
    for number, raw in enumerate(rows, 1):
        named = files and isinstance(raw, str | Path)
        yield _Value(number, str(raw) if named else f"row {number}", raw)


def _read(
    trained: Trained, values: Iterable[_Value], most: int, *, wrong: bool
) -> tuple[list[AnsweredRow], list[str]]:
    """So many rows that can be read, of those that are answered wrongly where ``wrong``, in their
    order, and what is amiss with those that cannot. Raises PredictError where answers are not right
    or wrong."""
    rows: dict[int, AnsweredRow] = {}
    notes: dict[int, str] = {}
    for value in values:
        if len(rows) + (0 if wrong else len(notes)) == most:
            break
        try:
            row = trained.read(value.place, value.raw)
        except RowError as error:
            notes[value.number] = f"{value.place}: {error}"
            continue
        expected = value.expected(row.answer)
        if wrong and (expected is None or expected.right is None):
            raise PredictError(
                "answers of this run are not right or wrong, so there are no wrong ones to choose"
            )
        if not wrong or (expected is not None and expected.right is False):
            rows[value.number] = replace(row, expected=expected)
    return [rows[each] for each in sorted(rows)], [notes[each] for each in sorted(notes)]


def _why_none(notes: Sequence[str], *, wrong: bool) -> str:
    if wrong:
        return "no held-out row is answered wrongly: leave wrong (--wrong) out"
    return notes[0] if notes else "there is no row to explain"


def _explained(
    run: Run,
    trained: Trained,
    rows: Sequence[AnsweredRow],
    ways: Mapping[str, Way],
    *,
    sanity: bool,
) -> Iterator[ExplainedRow]:
    """Every row by every method; then all of them once more with random weights."""
    found: list[dict[str, Explanation]] = []
    twice = " (then once more with random weights)" if sanity else ""
    run.display.begin(f"explaining{twice}", len(rows))
    for row in rows:
        found.append({name: trained.explain(row, way) for name, way in ways.items()})
        run.display.advance(1)
    random: list[dict[str, float]] = [{} for _ in rows]
    if sanity:
        run.display.begin("explaining random weights", len(rows))
        with randomised(run.graft, next(iter(ways.values())).seed + 1):
            for number, row in enumerate(rows):
                random[number] = trained.correlations(row, found[number], ways)
                run.display.advance(1)
    for row, by, each in zip(rows, found, random, strict=True):
        yield ExplainedRow(place=row.place, by=by, random=each, expected=row.expected)
