"""First rows of a source: whether they have the columns that a recipe names."""

from __future__ import annotations

from collections.abc import Iterator

from multigraft.data.prepare.plan import Plan
from multigraft.data.prepare.reading import Block
from multigraft.errors import DataError, did_you_mean


def refuse_missing_columns(plan: Plan, block: Block) -> None:
    """Raise DataError, with every column that is named and that the first rows lack."""
    there = block.batch.schema.names
    asked: dict[str, list[str]] = {}
    for name, who in _named(plan):
        asked.setdefault(name, []).append(who)
    told = [
        f"{', '.join(dict.fromkeys(who))}: there is no column {name!r}; {did_you_mean(name, there)}"
        for name, who in asked.items()
        if name not in there
    ]
    if told and there:
        also = "; columns: {ours: theirs} gives one our name"
        raise DataError(f"{block.name}: " + "\n  ".join(told) + also)


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """Columns, and which step or field names each."""
    for step in plan.steps:
        yield step.column, step.name
    for name in plan.recipe.keep or ():
        yield name, "keep"
    split = plan.recipe.split
    if split.validation + split.test:
        yield split.group or plan.modality.columns[0], "split.group" if split.group else "split"
