"""Rows of other data as a bundle's run would read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.data import Rows, part_of, rewrite_of, source_table
from multigraft.data.sources.naming import of_other_data
from multigraft.data.sources.row_shape import shape_of
from multigraft.data.sources.rows_file import as_source
from multigraft.data.sources.source_table import as_said
from multigraft.errors import BundleError, refused_as
from multigraft.evaluation.bundle.bundle_task import BundleTask
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.manifest import COLUMNS, READING

TEST = "test"
ANY = 1.0
"""The share of rows that may be left out."""
Columns = dict[str, str | list[str]]


def rows_of(
    task: BundleTask,
    source: Any,
    name: str,
    *,
    columns: Mapping[str, str],
    split: str | None,
    catalog: Catalog,
) -> Rows:
    """The rows of ``source``, read by the bundle's reader; those that cannot be used are left out.

    Our names of columns are as the training table called them, ``columns`` going first. Raises
    DataError where no row can be used.
    """
    predictor, record = task.predictor, task.task
    named, formats = named_columns(task, columns), catalog.formats()
    with refused_as(BundleError, "the bundle does not say how its rows are read"):
        data = as_said(_mapping(predictor.bundle.facts.get(READING)), named)
    with as_source(source, shape_of(predictor.modality, record, named)) as found:
        table = source_table(
            part_of(found, split or TEST, formats),
            data,
            modality=predictor.modality,
            task_columns=record.columns,
            split=split or TEST,
            files=record.files,
            rewrite=rewrite_of(record, task.options),
            formats=formats,
            naming=of_other_data,
        )
    return Rows.audit(table, predictor.reader, task.metrics.objective, allowed_bad=ANY, name=name)


def named_columns(task: BundleTask, columns: Mapping[str, str]) -> Columns:
    """Our names of columns -> theirs, as the manifest and then a person has them; an empty one
    takes a name away."""
    known = _mapping(task.predictor.bundle.facts.get(COLUMNS))
    return {ours: theirs for ours, theirs in {**known, **columns}.items() if theirs}


def column_names(task: BundleTask, columns: Mapping[str, str]) -> set[str]:
    """What the columns that are measured on may be called, here and in a table."""
    ours = {*task.predictor.modality.columns, *task.task.columns}
    theirs = [each for name, each in named_columns(task, columns).items() if name in ours]
    return ours.union(*([each] if isinstance(each, str) else each for each in theirs))


def _mapping(told: Any) -> dict[str, Any]:
    """What a manifest says, which anybody may have written; nothing where it is no mapping."""
    return dict(told) if isinstance(told, Mapping) else {}
