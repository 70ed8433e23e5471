"""Explanations of a run's answers: rows are chosen, explained, checked, and kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.answers import explains
from multigraft.errors import PredictError, RowError
from multigraft.evaluation.explain.explanations import ExplainedRow, Explanations
from multigraft.evaluation.explain.graft_subject import Served
from multigraft.evaluation.explain.sanity import randomised
from multigraft.evaluation.explain.trained import AnsweredRow, Trained
from multigraft.models.modes import evaluating
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
    values = _held_out(run, rows, wanted.seed) if isinstance(rows, int) else _given(run, rows)
    with evaluating(run.graft):
        read, notes = _read(trained, values)
        if not read:
            raise RowError(notes[0] if notes else "there is no row to explain")
        explained = tuple(_explained(run, trained, read, ways, sanity=wanted.sanity))
    found = Explanations(
        title=f"{run.resolved.task.name} with {run.recipe.backbone_name}",
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


def _read(
    trained: Trained, values: Iterable[tuple[str, Any]]
) -> tuple[list[AnsweredRow], list[str]]:
    """The rows that can be read, and what is wrong with the others."""
    rows: list[AnsweredRow] = []
    notes: list[str] = []
    for place, raw in values:
        try:
            rows.append(trained.read(place, raw))
        except RowError as error:
            notes.append(f"{place}: {error}")
    return rows, notes


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
    run.display.begin("explaining", len(rows))
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
        yield ExplainedRow(place=row.place, by=by, random=each)
