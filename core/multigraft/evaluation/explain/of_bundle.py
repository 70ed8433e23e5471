"""Explanations of a bundle's answers to several rows, without torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from multigraft.contracts.display import UNSEEN, Display
from multigraft.errors import RowError
from multigraft.evaluation.explain.explanations import ExplainedRow, Explanations, title_of
from multigraft.runtime import Predictor
from multigraft.runtime.explain.explain import shared_options
from multigraft.runtime.explain.precise import NOISY


def explain_rows(
    predictor: Predictor,
    rows: Sequence[tuple[str, Any]],
    display: Display = UNSEEN,
    *,
    method: Sequence[str],
    of: str | None = None,
    faithfulness: bool = True,
    seed: int = 0,
    **options: Any,
) -> Explanations:
    """Explain the answers to rows, each with its place, by every ``method``, as `Predictor.explain`
    does, which has its ``options``. What cannot be read is noted.

    Raises RowError where no row can be read.
    """
    started = time.perf_counter()
    shared = shared_options(predictor.explainers, method, options)
    by_method = {each: {"seed": seed, **own} for each, own in shared.items()}
    display.begin("explaining", len(rows))
    found: list[ExplainedRow] = []
    notes: list[str] = []
    for place, raw in rows:
        try:
            by = {
                each: predictor.explain(raw, method=each, of=of, faithfulness=faithfulness, **own)
                for each, own in by_method.items()
            }
            found.append(ExplainedRow(place=place, by=by))
        except RowError as error:
            notes.append(f"{place}: {error}")
        display.advance(1)
    if not found:
        raise RowError(notes[0])
    bundle = predictor.bundle
    return Explanations(
        title=title_of(bundle.task, bundle.backbone),
        rows=tuple(found),
        methods=tuple(method),
        facts={
            "task": bundle.task,
            "backbone": bundle.backbone,
            "precision": _precision(predictor, found[0].by[method[0]].precision),
            "explained rows": str(len(found)),
            "seconds": f"{time.perf_counter() - started:.3g}",
        },
        notes=tuple(notes),
        seed=seed,
    )


def _precision(predictor: Predictor, explaining: str) -> str:
    """What answers, and what explains, and where that is int8 that it is noisy."""
    if explaining != predictor.precision:
        return f"{predictor.precision}, explained by {explaining}"
    return f"{explaining}, whose weights are noisy" if explaining == NOISY else explaining
