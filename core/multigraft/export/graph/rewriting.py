"""Rewrite a graph as long as it answers as the model does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import onnx

from multigraft.errors import ExportError
from multigraft.export.graph.rewrites import REWRITES
from multigraft.export.graph.storage import delete, save

LOG = logging.getLogger("multigraft")


def rewritten(path: Path, check: Callable[[Path], float]) -> float:
    """Parity of a graph, in which each rewrite that keeps it right took the place of torch's.

    ``check`` compares a graph with the model: the largest difference. Raises ExportError, as it
    does, where torch's own is wrong.
    """
    parity = check(path)
    trial = path.with_name("rewritten.onnx")
    for what, rewrite in REWRITES.items():
        model = onnx.load(path)
        if not rewrite(model):
            continue
        save(model, trial)
        try:
            parity = check(trial)
            save(model, path)
        except ExportError as error:
            LOG.info("export: %s are left as torch wrote them: %s", what, error)
        finally:
            delete(trial)
    return parity
