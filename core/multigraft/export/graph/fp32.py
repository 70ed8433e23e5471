"""Export the fp32 graphs, compare them with the model, and rewrite them where no answer changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multigraft.contracts.branches import PRESENT, BranchesReader, of_branch
from multigraft.contracts.padding import Fills
from multigraft.contracts.types import Arrays
from multigraft.data import Rows
from multigraft.errors import ExportError
from multigraft.export.acceptance.parity import Case, cases, check_parity
from multigraft.export.context import FP32, HEAD, ExportContext
from multigraft.export.generation.writer import make_writer
from multigraft.export.graph.branch_graphs import (
    BranchServed,
    HeadServed,
    fields_read,
    head_fills,
    head_rows,
)
from multigraft.export.graph.rewriting import rewritten
from multigraft.export.graph.storage import delete
from multigraft.export.graph.trace import ByName, Served, export_graph, uneven
from multigraft.export.sample_rows import spread
from multigraft.models.branches import Branch
from multigraft.runtime.session import Session

COMPARED_ROWS = 5
LOOKED_AT = 200
"""Rows among which some that have every branch are looked for."""


def make_fp32(context: ExportContext) -> tuple[Served, float]:
    """Export the graph and compare it: the served model, and the largest difference to it.

    Raises ExportError, and leaves no graph behind, where they differ.
    """
    run, rows = context.run, context.rows
    chosen = spread(rows, COMPARED_ROWS)
    arrays = [rows.read(index) for index in chosen]
    with_head = run.resolved.task.stage != "pretrain"
    served = Served(run.graft, run.objective, tuple(arrays[0]), with_head=with_head).eval()
    trials = _trials(rows, chosen, arrays, run.reader.fills)
    try:
        if context.generating is not None:
            return served, make_writer(context, context.generating, chosen)
        if context.branches:
            return served, _make_branches(context, served, trials)
        return served, _make(context, served, context.graph(FP32), run.reader.fills, trials)
    except ExportError:
        for each in context.targets(FP32).values():
            delete(each)
        raise


def _trials(
    rows: Rows, chosen: Sequence[int], arrays: Sequence[Arrays], fills: Fills
) -> list[Case]:
    places = [rows.place(index) for index in chosen]
    return cases(arrays, rows.lengths[chosen].tolist(), places, fills)


def _make(
    context: ExportContext, served: ByName, path: Path, fills: Fills, trials: Sequence[Case]
) -> float:
    """Write one graph, and rewrite it: the largest difference to the model."""
    rows = next(case.rows for case in trials if len(case.rows) > 1)
    sample = [rows[-1], rows[0]]
    export_graph(served, sample, fills, path, opset=context.run.recipe.export.opset)

    def check(path: Path) -> float:
        return check_parity(served.answer, Session(path).run, trials, fills)

    return rewritten(path, check)


def _make_branches(context: ExportContext, served: Served, trials: Sequence[Case]) -> float:
    """Write each branch's graph and the head's, and compare them together."""
    run, reader = context.run, context.run.reader
    assert isinstance(reader, BranchesReader)
    rows, chosen = _whole_rows(context)
    arrays = [rows.read(index) for index in chosen]
    paths = context.targets(FP32)
    fields = fields_read(run.graft, run.objective, arrays, reader.fills)
    parts: dict[str, BranchServed] = {}
    for name, branch in run.graft.branches.items():
        assert isinstance(branch, Branch)
        own = [of_branch(name, row) for row in arrays]
        parts[name] = BranchServed(branch, fields[name], tuple(own[0])).eval()
        fills = reader.branches[name].own.fills
        _make(context, parts[name], paths[name], fills, _trials(rows, chosen, own, fills))
    longest, other = uneven([arrays[-1], arrays[0]], reader.fills)
    given = head_rows(parts, [longest, other, *arrays[1:-1]])
    head = HeadServed(run.graft, run.objective, tuple(given[0])).eval()
    export_graph(head, given[:2], head_fills(given), paths[HEAD], opset=run.recipe.export.opset)
    return check_parity(served.answer, context.session(FP32).run, trials, reader.fills)


def _whole_rows(context: ExportContext) -> tuple[Rows, list[int]]:
    """Rows that have every branch, from the shortest to the longest: of those that judge, else of
    training. Raises ExportError."""
    for rows in (context.rows, context.run.rows["train"]):
        found = [
            index
            for index in spread(rows, LOOKED_AT)
            if all(rows.fetch(index, (PRESENT,)).get(PRESENT, [1]))
        ]
        if found:
            steps = range(COMPARED_ROWS)
            return rows, [found[step * (len(found) - 1) // (COMPARED_ROWS - 1)] for step in steps]
    raise ExportError(
        f"no row among {LOOKED_AT} has a value of every branch; one is needed to trace the graphs "
        "with"
    )
