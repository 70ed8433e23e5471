"""Explanations of a run's answers: rows are chosen, explained, checked, and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.options import defaults
from multigraft.contracts.readers import read_row
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import PredictError, RowError
from multigraft.evaluation.explain.explanations import ExplainedRow, Explanations
from multigraft.evaluation.explain.graft_subject import GraftSubject, Served
from multigraft.evaluation.explain.sanity import randomised, rank_correlation
from multigraft.models.modes import evaluating
from multigraft.runs.reports import keep_report
from multigraft.runtime.answers import make_answers
from multigraft.runtime.explain.explain import Way, explained, number_of, shared_options, way_of
from multigraft.runtime.explain.explanation import Explanation
from multigraft.runtime.explain.subject import units_of
from multigraft.system.disk import explaining
from multigraft.system.lock import alone_in

if TYPE_CHECKING:
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")
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


def explain_run(
    run: Run, rows: int | Sequence[Any], wanted: Wanted, into: Path | None
) -> Explanations:
    """Explain held-out rows of a run, or raw values; page and record are kept in its folder, or
    ``into`` another."""
    started = time.perf_counter()
    ways = _ways(run, wanted)
    served = Served(run.graft, run.objective, run.reader)
    values = list(_held_out(run, rows, wanted.seed) if isinstance(rows, int) else _given(run, rows))
    if not values:
        raise PredictError("there is no row to explain")
    run.display.begin("explaining", len(values) * len(ways))
    with evaluating(run.graft):
        rows_found, notes = _explained_rows(run, served, values, ways, sanity=wanted.sanity)
    if not rows_found:
        raise RowError(notes[0])
    found = Explanations(
        title=f"{run.resolved.task.name} with {run.recipe.backbone_name}",
        rows=tuple(rows_found),
        methods=tuple(ways),
        facts={
            "run": str(run.folder),
            "task": run.resolved.task.name,
            "backbone": run.recipe.backbone_name,
            "strategy": run.recipe.strategy_name,
            "explained rows": str(len(rows_found)),
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
    asked = {"of": wanted.of, "faithfulness": wanted.faithfulness, "seed": wanted.seed}
    return {
        method: way_of(explainers, method, options, gradients=True, **asked)
        for method, options in shared_options(explainers, wanted.methods, wanted.options).items()
    }


def _held_out(run: Run, count: int, seed: int) -> Iterator[tuple[str, Any]]:
    """So many held-out rows, drawn at random, in their order."""
    held = run.rows[run.held_out()]
    chosen = np.random.default_rng(seed).permutation(len(held))[:count]
    return ((held.place(number), held.raw(number)) for number in sorted(chosen.tolist()))


def _given(run: Run, rows: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Raw values by their files' names, or by their numbers."""
    files = bool(run.resolved.modality.suffixes)
    for number, raw in enumerate(rows, 1):
        yield str(raw) if files and isinstance(raw, str | Path) else f"row {number}", raw


def _explained_rows(
    run: Run,
    served: Served,
    values: Sequence[tuple[str, Any]],
    ways: Mapping[str, Way],
    *,
    sanity: bool,
) -> tuple[list[ExplainedRow], list[str]]:
    """The rows that can be read, and what is wrong with the others."""
    rows: list[ExplainedRow] = []
    notes: list[str] = []
    for place, raw in values:
        try:
            by, random = _one(run, served, raw, ways, sanity=sanity)
        except RowError as error:
            notes.append(f"{place}: {error}")
            continue
        rows.append(ExplainedRow(place=place, by=by, random=random))
    return rows, notes


def _one(
    run: Run, served: Served, raw: Any, ways: Mapping[str, Way], *, sanity: bool
) -> tuple[dict[str, Explanation], dict[str, float]]:
    row = read_row(run.reader, raw)
    answers = make_answers(run.resolved.task, run.targets)
    answer = _answer(answers, served, raw, row)
    modality, task = run.resolved.modality.name, run.resolved.task.name

    def ask(way: Way) -> Explanation:
        subject = GraftSubject(
            row,
            units_of(run.reader, raw, row, modality=modality),
            number_of(answers, answer, way.of, task=task),
            served.compute,
            way.seed,
            served=served,
        )
        return explained(subject, way, answer)

    by: dict[str, Explanation] = {}
    random: dict[str, float] = {}
    for method, way in ways.items():
        by[method] = ask(way)
        if sanity:
            with randomised(run.graft, way.seed + 1):
                other = ask(_unmeasured(way))
            random[method] = rank_correlation(by[method].weights, other.weights)
        run.display.advance(1)
    return by, random


def _unmeasured(way: Way) -> Way:
    return Way(way.explainer, way.options, of=way.of, seed=way.seed)


def _answer(answers: Answers, served: Served, raw: Any, row: Arrays) -> Answer:
    """The answer to one row, as the bundle gives it."""
    (outputs,) = served.compute([row])
    window = Window(row, outputs, served.reader.length(row))
    return answers.answer(raw, [window], defaults(answers.asks))
