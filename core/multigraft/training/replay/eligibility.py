"""Replay eligibility: a frozen part gives the same at every step, and the rest does not notice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective
from multigraft.contracts.plan import block_of, blocks_of
from multigraft.contracts.reader import Augment, Reader
from multigraft.data import Epoch, SomeRows, iterate
from multigraft.models.graft import Graft
from multigraft.models.modes import evaluating
from multigraft.system.compute.precision import Precision
from multigraft.training.replay.frozen import (
    Frozen,
    MoreNeededError,
    Prefix,
    UnfitError,
    Watch,
    Whole,
    frozen_part,
)
from multigraft.training.replay.module_state import numbers_of
from multigraft.training.replay.player import Player
from multigraft.training.replay.trial import Trial
from multigraft.training.replay.verification import tried


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All that decides whether and how the frozen part of a graft is replayed."""

    graft: Graft
    """As seen from one branch, where there are several (see `Graft.seen_from`)."""
    objective: Objective
    reader: Reader
    """Of that branch alone."""
    augment: Augment | None
    precision: Precision
    device: torch.device
    size: int
    """The most rows that are computed together."""
    made_with: Mapping[str, Any]
    """Versions of the code that computes; another version computes anew."""


def open_player(
    setting: Setting, depth: int, rows: SomeRows, *, only_kept: bool = False
) -> Player | None:
    """Open the player of the first ``depth`` blocks (see `Plan.frozen`), or None for no block.

    With ``only_kept`` None also where the cache holds nothing of them. Raises UnfitError with the
    reason where replaying would change what is learned, and whatever the network raises while that
    is found out.
    """
    if not depth or not len(rows):
        return None
    check_inputs(setting)
    index = _sample(rows)
    with untouched(setting.graft):
        watch, changing = _watched(setting, rows, index)
        frozen = frozen_part(setting.graft, depth, watch.fields)
        if frozen is None:
            return None
        reads = watch.arrays if isinstance(frozen, Whole) else None
        trial = Trial(
            graft=setting.graft,
            objective=setting.objective,
            rows=rows,
            index=index,
            batch=partial(_batch, setting, rows),
            later=blocks_of(setting.graft)[depth:],
            fields=frozenset(watch.fields),
            changing=changing,
        )
        made = partial(_player, setting, depth=depth, rows=rows, reads=reads)
        return _complete(trial, frozen, made, only_kept=only_kept, pyramid=_has_pyramid(setting))


def _complete(
    trial: Trial,
    frozen: Frozen,
    made: Callable[[Frozen], Player],
    *,
    only_kept: bool,
    pyramid: bool,
) -> Player | None:
    """A player that gives what recomputing gives; of a ``pyramid`` what the rest reads of earlier
    blocks is kept too, which a first trial tells."""
    player = made(frozen)
    if only_kept and not player.archive and not pyramid:
        return None
    try:
        found = tried(trial, player)
    except MoreNeededError as more:
        if not isinstance(frozen, Prefix) or not pyramid:
            raise
        wider = replace(frozen, kept=frozen.kept | more.blocks)
        return _complete(trial, wider, made, only_kept=only_kept, pyramid=True)
    return None if only_kept and not found.archive else found


def _has_pyramid(setting: Setting) -> bool:
    """Whether maps of earlier blocks are read by the head, or by later blocks, so that their
    outputs are kept too."""
    backbone = setting.graft.backbone
    return any(getattr(backbone, name, False) for name in ("pyramid", "joins"))


def pooled(setting: Setting, rows: SomeRows) -> np.ndarray:
    """Compute `Features.pooled` of each row, [N, D], kept for the next; in evaluation mode.

    Raises UnfitError where there is no room, OSError where the cache cannot be written.
    """
    frozen = Whole(setting.graft, ("pooled",))
    replayed = _player(setting, frozen, depth=len(blocks_of(setting.graft)) + 1, rows=rows).take(
        rows
    )
    return np.stack([row["0.0"] for row in replayed.rows(range(len(rows)))]).astype(np.float32)


def _player(
    setting: Setting,
    frozen: Frozen,
    *,
    depth: int,
    rows: SomeRows,
    reads: Collection[str] | None = None,
) -> Player:
    return Player.open(
        frozen,
        rows,
        key=_key(setting, frozen, depth),
        reader=setting.reader,
        device=setting.device,
        precision=setting.precision,
        size=setting.size,
        reads=None if reads is None else frozenset(reads),
    )


def check_inputs(setting: Setting) -> None:
    """Raise UnfitError where a row gives other inputs from step to step."""
    objective = setting.objective
    if setting.augment is not None:
        raise UnfitError("augmentation changes the inputs at every step")
    for name in ("view", "prepare"):
        if getattr(getattr(objective, name), "__func__", None) is not getattr(Objective, name):
            raise UnfitError("the task changes the inputs at every step")


def _sample(rows: SomeRows) -> Sequence[int]:
    """A short, a middling and a long row; one alone twice, as torch refuses a batch of one."""
    order = np.argsort(rows.lengths, kind="stable")
    found: list[int] = np.unique(
        order[[len(order) // 10, len(order) // 2, len(order) * 9 // 10]]
    ).tolist()
    return found if len(found) > 1 else found * 2


def _batch(setting: Setting, rows: SomeRows, numbers: Sequence[int]) -> Batch:
    """A batch of these rows, as a step has it."""
    batches = iterate(rows, [np.asarray(numbers)], Epoch(seed=0))
    _, batch = next(iter(batches))
    return {name: value.to(setting.device) for name, value in batch.items()}


def _watched(
    setting: Setting, rows: SomeRows, index: Sequence[int]
) -> tuple[Watch, Sequence[Tensor]]:
    """What the head reads of the features, and head and objective of the batch, in training and
    validation; and what a training changes."""
    watch, graft, objective = Watch(), setting.graft, setting.objective
    batch = _batch(setting, rows, index)

    def look() -> None:
        with setting.precision.autocast():
            outputs = graft.head(watch.features(graft.backbone(batch)), watch.batch(batch))
            watched = watch.batch(batch)
            objective.measure(outputs, watched, objective.loss(outputs, watched))

    before = [(buffer, buffer.clone()) for buffer in graft.buffers()]
    look()
    changing = [buffer for buffer, held in before if not torch.equal(buffer, held)]
    if graft.training:
        changing += [parameter for parameter in graft.parameters() if parameter.requires_grad]
        with evaluating(graft):
            look()
    return watch, changing


@contextmanager
def untouched(graft: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Try things without a trace: random state and buffers are put back as they were."""
    buffers = [(buffer, buffer.clone()) for buffer in graft.buffers()]
    with torch.random.fork_rng(), torch.set_grad_enabled(gradients):
        try:
            yield
        finally:
            try:
                _put_back(buffers)
            except (
                BaseException
            ):  # a signal that asks to stop came meanwhile, and the buffers will be saved
                _put_back(buffers)
                raise


@torch.no_grad()
def _put_back(buffers: Sequence[tuple[Tensor, Tensor]]) -> None:
    for buffer, before in buffers:
        buffer.copy_(before)


def _key(setting: Setting, frozen: Frozen, depth: int) -> str:
    """Stands for everything that the results depend on, rows apart."""
    backbone = setting.graft.backbone
    about = {
        "part": frozen.name,
        "network": f"{type(backbone).__module__}.{type(backbone).__qualname__} {backbone!r}",
        "numbers": numbers_of(backbone),
        "precision": setting.precision.name,
        "device": setting.device.type,
        "reader": setting.reader.spec(),
        "made_with": dict(setting.made_with),
    }
    digest = hashlib.blake2b(
        json.dumps(about, sort_keys=True, default=str).encode(), digest_size=16
    )
    for name, tensor in _state(setting.graft, depth):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _state(graft: Graft, depth: int) -> Sequence[tuple[str, Tensor]]:
    """The frozen part's parameters, and every buffer outside the blocks that follow it."""
    of = block_of(graft)
    parameters = [
        (name, parameter)
        for name, parameter in graft.named_parameters()
        if of.get(name, depth) < depth
    ]
    later = {id(buffer) for block in blocks_of(graft)[depth:] for buffer in block.buffers()}
    buffers = [
        (name, buffer) for name, buffer in graft.backbone.named_buffers() if id(buffer) not in later
    ]
    return [*parameters, *buffers]
