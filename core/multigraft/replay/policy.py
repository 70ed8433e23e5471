"""Whether a frozen part may be replayed: it gives the same at every step, and the rest does not notice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from multigraft.data import Rows, iterate
from multigraft.features import Batch
from multigraft.graft import Graft
from multigraft.objectives import Objective, Outputs
from multigraft.records import Augment, Reader
from multigraft.replay.frozen import Frozen, UnfitError, Watch, Whole, frozen_part
from multigraft.replay.player import Autocast, Player
from multigraft.strategies import block_of

TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}
"""How far the loss of a row may lie from the recomputed one, relative to 1 + the loss."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All that decides whether and how the frozen part of a graft is replayed."""

    graft: Graft
    objective: Objective
    reader: Reader
    augment: Augment | None
    precision: str
    autocast: Autocast
    device: torch.device
    size: int
    """The most rows that are computed together."""
    made_with: Mapping[str, Any]
    """Versions of the code that computes; another version computes anew."""


def open_player(setting: Setting, depth: int, rows: Rows) -> Player | None:
    """The player of the first ``depth`` blocks (see `Plan.frozen`), or None where there is no block.

    Raises UnfitError with the reason where replaying would change what is learned.
    """
    if not depth or not len(rows):
        return None
    _check_inputs(setting)
    index, batch = _sample(setting, rows)
    watch = _watched(setting, batch)
    frozen = frozen_part(setting.graft, depth, watch.fields)
    if frozen is None:
        return None
    player = _player(setting, frozen, depth, rows, reads=watch.arrays if isinstance(frozen, Whole) else None)
    with untouched(setting.graft):
        _check_steady(setting, player, batch)
        return _checked(setting, player, rows, index, batch)


def pooled(setting: Setting, rows: Rows) -> np.ndarray:
    """[N, D]: `Features.pooled` of each row, kept for the next who asks. The graft is in evaluation mode.

    Raises UnfitError where there is no room, OSError where the cache cannot be written.
    """
    frozen = Whole(setting.graft, ("pooled",))
    blocks: Any = setting.graft.backbone.blocks
    replayed = _player(setting, frozen, len(list(blocks)) + 1, rows).take(rows)
    return np.stack([row["0.0"] for row in replayed.rows(range(len(rows)))]).astype(np.float32)


def _player(
    setting: Setting, frozen: Frozen, depth: int, rows: Rows, *, reads: Collection[str] | None = None
) -> Player:
    return Player.open(
        frozen,
        rows,
        key=_key(setting, frozen, depth),
        reader=setting.reader,
        device=setting.device,
        autocast=setting.autocast,
        size=setting.size,
        reads=None if reads is None else frozenset(reads),
    )


def _check_inputs(setting: Setting) -> None:
    objective = setting.objective
    if setting.augment is not None:
        raise UnfitError("augmentation changes the inputs at every step")
    for name in ("view", "prepare"):
        if getattr(getattr(objective, name), "__func__", None) is not getattr(Objective, name):
            raise UnfitError("the task changes the inputs at every step")


def _sample(setting: Setting, rows: Rows) -> tuple[np.ndarray, Batch]:
    """A batch of a short, a middling and a long row."""
    order = np.argsort(rows.lengths, kind="stable")
    chosen = np.unique(order[[len(order) // 10, len(order) // 2, len(order) * 9 // 10]])
    batches = iterate(
        rows,
        [chosen],
        objective=setting.objective,
        reader=setting.reader,
        augment=None,
        seed=0,
        epoch=0,
        train=False,
    )
    _, batch = next(iter(batches))
    return chosen, {name: value.to(setting.device) for name, value in batch.items()}


def _watched(setting: Setting, batch: Batch) -> Watch:
    """What the head reads of the features, and head and objective of the batch."""
    watch, graft, objective = Watch(), setting.graft, setting.objective
    with untouched(graft), setting.autocast():
        features = graft.backbone(batch)
        outputs = graft.head(watch.features(features), watch.batch(batch))
        watched = watch.batch(batch)
        objective.measure(outputs, watched, objective.loss(outputs, watched))
    return watch


def _check_steady(setting: Setting, player: Player, batch: Batch) -> None:
    """Raise UnfitError where a frozen part in its present modes gives something else at another seed."""
    given = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with setting.autocast():
            given.append(pytree.tree_leaves(player.frozen.compute(batch)[-1]))
    if not all(_same(one, other) for one, other in zip(*given, strict=True)):
        names = ", ".join(_chances(setting.graft)) or "a layer that draws at random"
        raise UnfitError(f"{names} acts in front of the first block that learns")


def _checked(setting: Setting, player: Player, rows: Rows, index: np.ndarray, batch: Batch) -> Player:
    """The player, seen to give what recomputing gives for a batch, whose rows it computes alone.

    Raises UnfitError where it does not.
    """
    parts = [player.compute([rows.fetch(int(row), player.names)])[0] for row in index]

    def losses(outputs: Callable[[], Outputs]) -> Tensor:
        torch.manual_seed(0)
        with setting.autocast():
            return setting.objective.loss(outputs(), batch).total.float()

    wanted = losses(lambda: setting.graft(batch))
    try:
        found = losses(lambda: player.rest(setting.graft, batch, parts))
    except RuntimeError:  # something between the blocks writes into what they gave
        player = replace(player, hollow=False)
        try:
            found = losses(lambda: player.rest(setting.graft, batch, parts))
        except RuntimeError as error:
            raise UnfitError(f"the rest cannot go on from it: {str(error).splitlines()[0]}") from error
    if not ((wanted - found).abs() <= TOLERANCE[setting.precision] * (1 + wanted.abs())).all():
        raise UnfitError("what follows it needs more than the output of its last block")
    return player


def _same(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


def _chances(graft: Graft) -> list[str]:
    """Dropout layers that act at present, outside the blocks."""
    blocks: Any = graft.backbone.blocks
    inside = {module for block in blocks for module in block.modules()}
    return [
        f"{name} ({type(module).__name__})"
        for name, module in graft.backbone.named_modules()
        if "Drop" in type(module).__name__ and module.training and module not in inside
    ]


@contextmanager
def untouched(graft: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Try things without a trace: chance and buffers (batch statistics) are put back as they were."""
    buffers = [(buffer, buffer.clone()) for buffer in graft.buffers()]
    with torch.random.fork_rng(), torch.set_grad_enabled(gradients):
        try:
            yield
        finally:
            try:
                _put_back(buffers)
            except BaseException:  # a signal that asks to stop came meanwhile, and the buffers will be saved
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
        "precision": setting.precision,
        "device": setting.device.type,
        "reader": setting.reader.spec(),
        "made_with": dict(setting.made_with),
    }
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True, default=str).encode(), digest_size=16)
    for name, tensor in _state(setting.graft, depth):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _state(graft: Graft, depth: int) -> Sequence[tuple[str, Tensor]]:
    """The frozen part's parameters, and every buffer outside the blocks that follow it."""
    of = block_of(graft)
    parameters = [
        (name, parameter) for name, parameter in graft.named_parameters() if of.get(name, depth) < depth
    ]
    blocks: Any = graft.backbone.blocks
    later = {id(buffer) for block in list(blocks)[depth:] for buffer in block.buffers()}
    buffers = [(name, buffer) for name, buffer in graft.backbone.named_buffers() if id(buffer) not in later]
    return [*parameters, *buffers]
