"""Frozen features: a recipe's backbone as its weights are, and what it computes of rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import numpy as np
import torch

from multigraft.data import ChosenRows, Rows
from multigraft.data.given import kept_rows
from multigraft.errors import DataError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.assembly import Saved, assemble
from multigraft.runs.run import Run
from multigraft.system import process_lock
from multigraft.system.compute.device import choose_device
from multigraft.system.compute.processes import ALONE
from multigraft.training.probe import pooled_features
from multigraft.training.replay import tensors

TIMED_ROWS, PASSES = 8, 2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of a backbone: its size, and the time of a forward pass."""

    parameters: int
    milliseconds: float
    """A row's forward pass in a batch of 8, the faster of two, without reading it."""
    megabytes: float
    """Of its weights as they are computed with, in fp32 as a rule."""


@contextmanager
def looked_at(
    resolved: ResolvedRecipe, rows: Mapping[str, Any]
) -> Iterator[tuple[ResolvedRecipe, Path]]:
    """A recipe in which nothing learns, and a folder for its run, which is removed; ``rows`` are
    those given in Python (`multigraft.data.given`)."""
    branches = {name: replace(each, strategies=()) for name, each in resolved.branches.items()}
    with (
        process_lock.beside(f"computing features of {resolved.recipe.backbone_name}"),
        TemporaryDirectory(prefix="multigraft-") as folder,
        kept_rows(replace(resolved, branches=branches), rows, Path(folder), ALONE) as kept,
    ):
        yield kept, Path(folder)


def frozen_run(
    resolved: ResolvedRecipe, catalog: Catalog, folder: Path, saved: Saved | None = None
) -> Run:
    """The run of a recipe that is `looked_at`, with its training rows alone; ``saved`` is what its
    reader learned elsewhere."""
    run = assemble(resolved, catalog, folder, dispatch=_no_verb, saved=saved, held_out=False)
    run.graft.to(choose_device()).eval()
    return run


def _no_verb(verb: str, run: Run) -> NoReturn:
    raise AssertionError(f"{verb} of a backbone that is only looked at: {run.folder}")


def features_of(run: Run, rows: Rows) -> np.ndarray:
    """`Features.pooled` of each row, [rows, width], from the machine's cache where they are kept.
    Raises DataError where they are no finite numbers."""
    features = pooled_features(run, rows)
    broken = np.flatnonzero(~np.isfinite(features).all(1))
    if len(broken):
        raise DataError(
            f"{rows.place(int(broken[0]))}: {run.recipe.backbone_name} gives features that are no "
            f"finite numbers (so in {len(broken)} of {len(rows)} rows); its weights are broken, or "
            "not meant for such values"
        )
    return features


def cost_of(run: Run, rows: Rows) -> Cost:
    """What the backbone costs, measured on rows of every length."""
    backbone = run.graft.backbone
    state = [*backbone.parameters(), *backbone.buffers()]
    return Cost(
        parameters=sum(each.numel() for each in backbone.parameters()),
        milliseconds=_milliseconds(run, rows),
        megabytes=sum(each.numel() * each.element_size() for each in state) / 1e6,
    )


def _milliseconds(run: Run, rows: Rows) -> float:
    order = np.argsort(rows.lengths, kind="stable")
    spread = order[np.linspace(0, len(order) - 1, min(TIMED_ROWS, len(order))).astype(int)]
    chosen = ChosenRows(rows, spread)
    read = [rows.read(index) for index in chosen.numbers.tolist()]
    device = next(run.graft.parameters()).device
    with torch.inference_mode():
        passes = [_seconds(run, tensors(read, run.reader, device)) for _ in range(PASSES + 1)]
    return 1000 * min(passes[1:]) / len(read)  # the first warms up


def _seconds(run: Run, batch: dict[str, torch.Tensor]) -> float:
    began = time.perf_counter()
    run.graft.backbone(batch).pooled.float().cpu()  # which waits for an accelerator
    return time.perf_counter() - began
