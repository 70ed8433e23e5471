"""Export the fp32 graph, compare it with the model, and rewrite it where no answer changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import onnx

from multigraft.errors import ExportError
from multigraft.export.acceptance.parity import Case, cases, check_parity
from multigraft.export.context import FP32, ExportContext
from multigraft.export.generation.writer import make_writer
from multigraft.export.graph.rewrites import REWRITES
from multigraft.export.graph.storage import delete, save
from multigraft.export.graph.trace import Served, export_graph
from multigraft.export.sample_rows import spread
from multigraft.runtime.session import Session

LOG = logging.getLogger("multigraft")
COMPARED_ROWS = 5


def make_fp32(context: ExportContext) -> tuple[Served, float]:
    """Export the graph and compare it: the served model, and the largest difference to it.

    Raises ExportError, and leaves no graph behind, where they differ.
    """
    run, rows, generating = context.run, context.rows, context.generating
    chosen = spread(rows, COMPARED_ROWS)
    arrays = [rows.read(index) for index in chosen]
    with_head = run.resolved.task.stage != "pretrain"
    served = Served(run.graft, run.objective, tuple(arrays[0]), with_head=with_head).eval()
    path, fills = context.graph(FP32), run.reader.fills
    trials = cases(
        arrays, rows.lengths[chosen].tolist(), [rows.place(index) for index in chosen], fills
    )
    try:
        if generating is not None:
            return served, make_writer(context, generating, chosen)
        export_graph(served, [arrays[-1], arrays[0]], fills, path, opset=run.recipe.export.opset)
        parity = check_parity(served.answer, Session(path).run, trials, fills)
    except ExportError:
        for each in context.paths(FP32).values():
            delete(each)
        raise
    return served, _rewritten(context, served, trials, parity)


def _rewritten(
    context: ExportContext, served: Served, trials: Sequence[Case], parity: float
) -> float:
    """Parity after each rewrite that keeps the graph right and takes the place of torch's."""
    path, fills = context.graph(FP32), context.run.reader.fills
    trial = path.with_name("rewritten.onnx")
    for what, rewrite in REWRITES.items():
        model = onnx.load(path)
        if not rewrite(model):
            continue
        save(model, trial)
        try:
            parity = check_parity(served.answer, Session(trial).run, trials, fills)
            save(model, path)
        except ExportError as error:
            LOG.info("export: %s are left as torch wrote them: %s", what, error)
        finally:
            delete(trial)
    return parity
