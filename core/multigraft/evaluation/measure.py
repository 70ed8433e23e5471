"""Evaluation loop: what is kept of each row of a split, for the metrics of its task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn

from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Objective, Outputs
from multigraft.contracts.reader import MirrorReader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.data import Epoch, Rows, iterate, plan_batches
from multigraft.evaluation.answer_scores import (
    NOTHING,
    AnswerKeeper,
    Metrics,
    RowMetrics,
    answer_rows,
    joined,
    read_values,
    score_rows,
    written_rows,
)
from multigraft.evaluation.microbatches import halve_on_shortage, split_batch
from multigraft.models.graft import Graft
from multigraft.runtime.flipping import FLIP
from multigraft.system.compute.processes import ALONE, World

HALVES = (torch.float16, torch.bfloat16)


class Replayed(Protocol):
    """A split whose frozen blocks were computed before: only what comes behind them is still to
    be."""

    @property
    def reads(self) -> frozenset[str] | None:
        """The arrays of a row that are still read; None where all may be."""
        ...

    def outputs(self, model: nn.Module, batch: Batch, indices: np.ndarray) -> Outputs:
        """The outputs of ``model`` for a batch of these rows."""
        ...


def measure_split(
    graft: Graft,
    metrics: Metrics[Objective],
    rows: Rows,
    *,
    batch_size: int,
    seed: int,
    budget: float | None = None,
    replayed: Replayed | None = None,
    world: World = ALONE,
    keep: AnswerKeeper | None = None,
    asked: Mapping[str, Any] = NOTHING,
    display: Display = UNSEEN,
) -> RowMetrics:
    """What is kept of each of ``rows`` for its metrics, in their order. The graft's modes are left
    as found.

    Memory grows by the few numbers that are kept of a row. Where the frozen part of the graft is
    ``replayed`` for these rows, only the rest of it is computed. Batches that memory cannot hold
    are computed in parts. The processes of a ``world`` share the batches, and each gets the whole.
    ``keep`` is given the answers of this process's rows; ``asked`` is what is asked of them (see
    `evaluation.asking`). ``display`` is told how many are done.
    """
    objective = metrics.objective
    answers = metrics.answers if keep is None else keep.answers
    batches = plan_batches(
        rows.lengths,
        size=batch_size,
        seed=seed,
        epoch=0,
        shuffle=False,
        budget=budget,
        world=min(world.size, len(rows)),
    )
    loaded = iterate(
        rows,
        world.share(batches),
        Epoch(seed=seed),
        names=None if replayed is None else replayed.reads,
    )
    device = next(graft.parameters()).device

    def serve(arrays: Arrays) -> Arrays:
        moved = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        outputs = graft(moved)
        return _arrays(objective.serve(seen[-1], outputs))

    def mirrored(numbers: np.ndarray) -> Batch:
        reader = cast("MirrorReader", rows.reader)
        views = [reader.mirrored(rows.read(number)) for number in numbers.tolist()]
        arrays = collate(views, rows.reader.fills)
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def measure(numbers: np.ndarray, batch: Batch) -> RowMetrics:
        moved = {name: value.to(device) for name, value in batch.items()}
        outputs = graft(moved) if replayed is None else replayed.outputs(graft, moved, numbers)
        wanted = answers is not None and metrics.writer is None
        served = _arrays(objective.serve(seen[-1], outputs)) if wanted else {}
        if asked.get(FLIP) and metrics.answers is None:
            outputs = objective.average([outputs, graft({**moved, **mirrored(numbers)})])
        kept = objective.measure(outputs, moved, objective.loss(outputs, moved))
        measured = {name: value.cpu().numpy() for name, value in kept.items()}
        if answers is None:
            return measured
        if metrics.writer is not None:
            answered = written_rows(metrics.writer, rows, numbers)
        else:
            values = read_values(answers, rows, numbers, asked)
            answered = answer_rows(answers, values, rows.reader, served, serve)
        if keep is not None:
            keep.take(numbers, answered)
        if metrics.answers is None:
            return measured
        return joined(measured, score_rows(answers, rows, numbers, answered))

    kept: RowMetrics = {}
    microbatches = 1
    with _evaluating(graft), _features(graft) as seen:
        for numbers, batch in loaded:
            most = 1 if objective.mixes_rows else len(numbers)
            parts, microbatches = halve_on_shortage(
                partial(_each, measure, numbers, batch), microbatches, most
            )
            for part, values in parts:
                _keep(kept, part, values, len(rows))
            display.advance(len(numbers))
    return metrics.together(_gathered(kept, batches, world) if world.size > 1 else kept)


def _each(
    measure: Callable[[np.ndarray, Batch], RowMetrics],
    numbers: np.ndarray,
    batch: Batch,
    parts: int,
) -> list[tuple[np.ndarray, RowMetrics]]:
    return [(rows, measure(rows, part)) for rows, part in split_batch(numbers, batch, parts)]


def _keep(kept: RowMetrics, numbers: np.ndarray, values: RowMetrics, rows: int) -> None:
    for name, found in values.items():
        if name not in kept:
            kept[name] = np.empty((rows, *found.shape[1:]), found.dtype)
        kept[name][numbers] = found


def _gathered(kept: RowMetrics, batches: Sequence[np.ndarray], world: World) -> RowMetrics:
    """What all processes kept, each of its own batches."""
    whole: RowMetrics = {}
    for rank, theirs in enumerate(world.gather(kept)):
        for numbers in batches[rank :: world.size]:
            part = {name: values[numbers] for name, values in theirs.items()}
            _keep(whole, numbers, part, sum(map(len, batches)))
    return whole


@contextmanager
def _features(graft: Graft) -> Iterator[deque[Features]]:
    """The features that the head was given last, by whichever way the batch went."""
    seen: deque[Features] = deque(maxlen=1)
    hook = graft.head.register_forward_pre_hook(lambda head, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        hook.remove()


def _arrays(outputs: Outputs) -> RowMetrics:
    """What is served, as a graph gives it: in fp32 where autocast computed in less."""
    return {
        name: (value.float() if value.dtype in HALVES else value).cpu().numpy()
        for name, value in outputs.items()
    }


@contextmanager
def _evaluating(graft: Graft) -> Iterator[None]:
    """Evaluation mode, and afterwards each module in the mode it was in (frozen parts rest)."""
    modes = [(module, module.training) for module in graft.modules()]
    graft.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training
