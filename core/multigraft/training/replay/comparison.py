"""Compare a replay with recomputing, number by number, on a few rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils import _pytree as pytree

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays
from multigraft.training.replay.frozen import UnfitError
from multigraft.training.replay.module_state import state_of
from multigraft.training.replay.player import Player
from multigraft.training.replay.trial import MORE, Trial, alike, dropout_layers, results, whole

SAME = {"fp32": 2**-13, "bf16": 2**-5}
"""How far numbers that are computed in the same way may lie apart, relative to the largest of their
row: as a rule they are equal, but a kernel may add up in another order."""
LIKE = {"fp32": 2**-10, "bf16": 2**-3}
"""The same where rows are computed alone or together with others, through many layers."""
SLOPE = 2**-6
"""The same for gradients, in fp32."""


def steady(trial: Trial, player: Player) -> list[Arrays]:
    """Compute each row's results alone. Raises UnfitError where they change with the seed."""
    first, *others = (partial(_alone, trial, player, number) for number in trial.index)
    generators = _elsewhere()
    torch.manual_seed(1)
    parts = [first()]
    before = state_of(trial.graft.backbone)
    parts += [other() for other in others]
    torch.manual_seed(2)
    again = first()
    if not alike(results(player, again), results(player, parts[0]), SAME[player.precision.name]):
        raise UnfitError(
            f"{dropout_layers(trial.graft)} acts in front of the first block that learns"
        )
    if _elsewhere() != generators:
        raise UnfitError("it draws at random outside of torch")
    after = state_of(trial.graft.backbone)
    if changed := [name for name in after if after[name] != before.get(name)]:
        raise UnfitError(f"it keeps a state that every pass changes: {min(changed)}")
    return parts


def _alone(trial: Trial, player: Player, number: int) -> Arrays:
    return player.compute([trial.arrays(player, number)])[0]


def _elsewhere() -> str:
    """How far Python's and numpy's global generators are."""
    return repr((random.getstate(), np.random.get_state()))


def check_gradients(trial: Trial, player: Player, parts: Sequence[Arrays]) -> None:
    """Raise UnfitError where what learns would go another way."""
    learning = [each for each in trial.graft.parameters() if each.requires_grad]
    if not learning:
        return

    def slopes(compute: Callable[[Batch], Outputs]) -> Sequence[Tensor]:
        torch.manual_seed(0)
        batch = trial.batch(trial.index)
        with torch.enable_grad(), player.precision.autocast():
            loss = trial.objective.loss(compute(batch), batch).mean()
        return torch.autograd.grad(loss, learning, allow_unused=True, materialize_grads=True)

    with _steady_norms(trial.graft):
        expected = slopes(trial.graft)
        found = slopes(lambda batch: player.rest(trial.graft, batch, parts))
    whole = torch.linalg.vector_norm(torch.stack([slope.norm() for slope in expected]))
    for one, other in zip(found, expected, strict=True):
        if not (one - other).norm() <= SLOPE * (other.norm() + SLOPE * whole):
            raise UnfitError("what follows it learns something else")


@contextmanager
def _steady_norms(module: nn.Module) -> Iterator[None]:
    """Use batch norms' running statistics: those of a few rows enlarge rounding."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.training]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


def check_alone(trial: Trial, player: Player) -> None:
    """Raise UnfitError where a row without padding is given other than recomputed results."""
    number = trial.index[len(trial.index) // 2]
    batch = trial.batch([number])
    part = player.compute([trial.arrays(player, number)])
    expected = _read(trial, player, lambda: trial.graft(batch))
    found = _read(trial, player, lambda: player.rest(trial.graft, batch, part))
    if not alike(found, expected, SAME[player.precision.name]):
        raise UnfitError(MORE)


def _read(trial: Trial, player: Player, compute: Callable[[], Outputs]) -> Any:
    """What later blocks and the head are given in a pass, and its outputs."""
    torch.manual_seed(0)
    with _listening(trial) as heard, player.precision.autocast():
        return compute(), heard


@contextmanager
def _listening(trial: Trial) -> Iterator[list[Any]]:
    """Collect what later blocks and the head are called with."""
    heard: list[Any] = []

    def hear(module: nn.Module, args: Any, kwargs: Any) -> None:
        heard.append(_copied(_plain((args, kwargs), trial.fields)))

    def hear_head(module: nn.Module, args: Any) -> None:
        heard.append(_copied(_plain(args[0], trial.compared)))

    hooks = [block.register_forward_pre_hook(hear, with_kwargs=True) for block in trial.later]
    hooks.append(trial.graft.head.register_forward_pre_hook(hear_head))
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _plain(value: Any, fields: frozenset[str]) -> Any:
    if isinstance(value, Features):
        return {name: getattr(value, name) for name in sorted(fields)}
    return value


def _copied(value: Any) -> list[Any]:
    leaves = pytree.tree_leaves(value)
    return [leaf.detach().clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]


def check_together(trial: Trial, player: Player, parts: Sequence[Arrays]) -> None:
    """Raise UnfitError where a row among others, which pad it, is not what it is alone."""
    batch = trial.batch(trial.index)
    with player.precision.autocast():
        together = whole(player, player.frozen.compute(batch))
    for row, part in enumerate(parts):
        alone = results(player, part)
        if not alike(_cut(player, together, row, alone), alone, LIKE[player.precision.name]):
            raise UnfitError("what it gives for a row depends on the rows beside it")
    check_losses(trial, player, parts)


def check_losses(trial: Trial, player: Player, parts: Sequence[Arrays]) -> None:
    """Raise UnfitError where the rest makes something else of what pads a row."""
    batch = trial.batch(trial.index)

    def losses(compute: Callable[[], Outputs]) -> Tensor:
        torch.manual_seed(0)
        with player.precision.autocast():
            return trial.objective.loss(compute(), batch).total.float()

    expected = losses(lambda: trial.graft(batch))
    found = losses(lambda: player.rest(trial.graft, batch, parts))
    if not ((expected - found).abs() <= LIKE[player.precision.name] * (1 + expected.abs())).all():
        raise UnfitError("what follows it computes something else where rows are padded")


def _cut(player: Player, together: Any, row: int, alone: Any) -> list[Any]:
    """A row of a batch's results, without what pads it."""
    cut = []
    kept = [leaf for layout in player.layouts if layout.whole for leaf in layout.leaves]
    for leaf, value, own in zip(kept, *map(pytree.tree_leaves, (together, alone)), strict=True):
        if isinstance(value, Tensor):
            value = value.narrow(leaf.axis, row, 1)  # noqa: PLW2901
            value = value[tuple(slice(extent) for extent in own.shape)]  # noqa: PLW2901
        cut.append(value)
    return cut


def check_kept(trial: Trial, player: Player, parts: Sequence[Arrays]) -> None:
    """Raise UnfitError where the cache holds something else under the same key."""
    for number, part in zip(trial.index, parts, strict=True):
        kept = player.kept(trial.arrays(player, number))
        if kept is not None and not alike(
            results(player, kept), results(player, part), LIKE[player.precision.name]
        ):
            raise UnfitError("the cache holds what another network gave")
