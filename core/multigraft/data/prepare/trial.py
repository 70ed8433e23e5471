"""Trial of a plan: what its steps make of the first rows, in memory, with nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from multigraft.data.prepare.duplicates import KeyFile, find_duplicates
from multigraft.data.prepare.first_rows import refuse_missing_columns
from multigraft.data.prepare.judging import READ, Judged, judge_block, open_pass
from multigraft.data.prepare.plan import Plan
from multigraft.data.prepare.reading import Block, Sources
from multigraft.data.prepare.tally import Tally, summed

ROWS = 1000
"""Rows that are tried, unless the recipe's limit is lower."""


def try_plan(plan: Plan, folder: Path, *, base: Path | None = None) -> dict[int, Tally]:
    """The tallies of all steps on the first `ROWS` rows, by the number of the step; ``folder`` is
    a temporary one. `READ` counts rows that cannot be read."""
    limit = min(ROWS, plan.recipe.limit or ROWS)
    recipe = plan.recipe.model_copy(update={"limit": limit})
    sources = Sources(recipe, plan.modality, plan.catalog.formats(), base)
    parts, first = list[dict[int, Tally]](), 0
    for block in sources.blocks():
        if not first:
            refuse_missing_columns(plan, block)
        parts.append(summed(_tried(plan, block, first, folder), recipe.examples))
        first += block.batch.num_rows
    return summed(parts, recipe.examples)


def _tried(plan: Plan, block: Block, first: int, folder: Path) -> Iterator[dict[int, Tally]]:
    """Take a block through all passes; duplicates are looked for in it alone."""
    batch, rows = block.batch, np.arange(first, first + block.batch.num_rows)
    for each in plan.passes:
        judged = judge_block(
            open_pass(each),
            batch,
            rows,
            bad=block.bad if each.number == 0 else None,
            folder=block.folder,
            examples=plan.recipe.examples,
        )
        yield judged.tallies
        if each.duplicates is not None:
            stays = np.flatnonzero(_matched(judged, each.duplicates.likeness().near, folder) < 0)
            gone = len(judged.rows) - len(stays)
            tally = Tally(seen=len(judged.rows))
            tally.dropped.update({"a duplicate": gone} if gone else {})
            yield {each.duplicates.number: tally}
            judged = replace(
                judged, batch=judged.batch.take(pa.array(stays)), rows=judged.rows[stays]
            )
        batch, rows = judged.batch, judged.rows


def _matched(judged: Judged, near: float, folder: Path) -> np.ndarray:
    assert judged.keys is not None
    path = folder / "keys.npy"
    np.save(path, judged.keys)
    return find_duplicates(KeyFile(path), near)


__all__ = ["READ", "ROWS", "try_plan"]
