"""Evaluation on other data: a trained run with the rows of another source in place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.data import (
    Rows,
    gathered_as,
    part_of,
    rewrite_of,
    source_table,
    told,
)
from multigraft.data.checks.leakage import find_leaks
from multigraft.data.sources.naming import of_other_data
from multigraft.data.sources.row_shape import shape_of
from multigraft.data.sources.rows_file import as_source
from multigraft.evaluation.other_sources import left_out

if TYPE_CHECKING:
    from multigraft.runs.run import Run


def on_other_data(
    run: Run,
    source: Any,
    name: str,
    *,
    columns: Mapping[str, str],
    split: str | None,
    answers_file: Path | None,
) -> Run:
    """The run with the rows of ``source`` as those that it is measured on, under ``name``.

    The source is what `data.train` may be, or rows themselves (see `multigraft.data.given`). They
    are read as the run's were; ``columns`` are further names of columns, and an empty one takes
    that of the recipe away. Rows that cannot be used are left out and told. Raises DataError where
    none can be.
    """
    task, catalog = run.resolved.task, run.catalog
    wanted = {**run.recipe.data.columns, **columns}
    named = {ours: theirs for ours, theirs in wanted.items() if theirs}
    data = run.recipe.data.model_copy(update={"columns": named})
    data = gathered_as(data, run.rows["train"].table)
    formats = catalog.formats()
    with as_source(source, shape_of(run.resolved.modality, task, named)) as found:
        table = source_table(
            part_of(found, split or run.recipe.evaluation.split, formats),
            data,
            modality=run.resolved.modality,
            task_columns=task.columns,
            split=split or "test",
            files=task.files,
            rewrite=rewrite_of(task, run.resolved.task_options),
            formats=formats,
            naming=of_other_data,
        )
    rows = Rows.audit(
        table, run.reader, run.objective, allowed_bad=1.0, name=name, seed=run.recipe.seed
    )
    both = {"train": run.rows["train"].table, "test": rows.table}
    facts = {
        **run.facts,
        "bad_rows": told({name: rows.problems}),
        "leaks": [{**leak.record(), "part": name} for leak in find_leaks(both, {}, None)],
        "left_out": left_out(name, rows.problems),
    }
    settings = run.recipe.evaluation.model_copy(update={"split": name})
    return replace(
        run,
        recipe=run.recipe.model_copy(update={"evaluation": settings, "data": data}),
        rows={"train": run.rows["train"], name: rows},
        facts=facts,
        other_data=name,
        answers_file=answers_file,
    )
