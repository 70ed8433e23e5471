"""Layouts: outputs of blocks as arrays of one row each, and batches of rows as outputs again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from multigraft.contracts.types import Arrays
from multigraft.training.replay.frozen import UnfitError


@dataclass(frozen=True)
class Leaf:
    """One tensor in a result."""

    axis: int
    """The axis that counts rows."""
    dtype: torch.dtype
    order: tuple[int, ...]
    """The axes as they lie in memory, the outermost first; kernels compute by it."""


@dataclass(frozen=True)
class Layout:
    """Layout of one result: nested tuples, lists and mappings of tensors and constants."""

    tree: Any
    leaves: tuple[Leaf | Any, ...]
    """A `Leaf` for each tensor; what is no tensor stands for itself."""
    whole: bool = True
    """Whether its numbers are kept, or of each tensor the shape alone."""


def survey(
    twice: Sequence[Any], thrice: Sequence[Any], *, kept: Collection[int] = ()
) -> list[Layout]:
    """The layouts of results, from those of one row taken twice and taken three times; the numbers
    of the last are kept, and those of the ones in ``kept``.

    Raises UnfitError where a tensor holds no single rows.
    """
    return [
        _layout(number, two, three, number == len(twice) - 1 or number in kept)
        for number, (two, three) in enumerate(zip(twice, thrice, strict=True))
    ]


def _layout(number: int, two: Any, three: Any, whole: bool) -> Layout:
    leaves, tree = pytree.tree_flatten(two)
    others, other = pytree.tree_flatten(three)
    if tree != other:
        raise UnfitError(
            f"the output of block {number} has another structure for another number of rows"
        )
    each = tuple(_leaf(number, a, b) for a, b in zip(leaves, others, strict=True))
    return Layout(tree, each, whole)


def _leaf(number: int, two: Any, three: Any) -> Leaf | Any:
    if not isinstance(two, Tensor):
        return two
    changed = [axis for axis in range(two.ndim) if two.shape[axis] != three.shape[axis]]
    if len(changed) != 1 or (two.shape[changed[0]], three.shape[changed[0]]) != (2, 3):
        raise UnfitError(f"block {number} gives a tensor that does not hold one part for each row")
    order = sorted(range(two.ndim), key=lambda axis: -two.stride(axis))
    return Leaf(changed[0], two.dtype, tuple(order))


def split(layouts: Sequence[Layout], results: Sequence[Any]) -> list[Arrays]:
    """Split results into arrays for each row: tensors of those kept whole, shapes of the others."""
    columns: dict[str, np.ndarray] = {}
    for number, (layout, result) in enumerate(zip(layouts, results, strict=True)):
        for place, (leaf, value) in enumerate(
            zip(layout.leaves, pytree.tree_leaves(result), strict=True)
        ):
            if isinstance(leaf, Leaf):
                rows = value.detach().movedim(leaf.axis, 0)
                columns[f"{number}.{place}"] = _numbers(rows) if layout.whole else _shapes(rows)
    count = len(next(iter(columns.values())))
    return [
        {name: np.asarray(column[row]) for name, column in columns.items()} for row in range(count)
    ]


def join(
    layouts: Sequence[Layout],
    rows: Sequence[Mapping[str, np.ndarray]],
    device: torch.device,
    *,
    hollow: bool = True,
) -> list[Any]:
    """The results of a batch of rows, shorter rows padded with zeros.

    Those that are not kept whole are zeros; ``hollow`` ones take no memory, and cannot be written
    to in place.
    """
    results = []
    for number, layout in enumerate(layouts):
        values = [
            _value(leaf, [row[f"{number}.{place}"] for row in rows], device, layout.whole, hollow)
            if isinstance(leaf, Leaf)
            else leaf
            for place, leaf in enumerate(layout.leaves)
        ]
        results.append(pytree.tree_unflatten(values, layout.tree))
    return results


def _value(
    leaf: Leaf, rows: Sequence[np.ndarray], device: torch.device, whole: bool, hollow: bool
) -> Tensor:
    if not whole:
        shape = (len(rows), *np.max(rows, axis=0).tolist())
        zeros = torch.zeros(() if hollow else shape, dtype=leaf.dtype, device=device)
        return zeros.expand(shape).movedim(0, leaf.axis)
    values = torch.from_numpy(pad(rows))
    if leaf.dtype is torch.bfloat16:
        values = values.view(torch.bfloat16)
    values = values.to(device, leaf.dtype).movedim(0, leaf.axis)
    return values.permute(leaf.order).contiguous().permute(np.argsort(leaf.order).tolist())


def pad(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stack arrays of equal rank; each axis is as long as the longest, and what is missing is zero.

    >>> pad([np.ones((1, 2)), np.ones((2, 1))]).tolist()
    [[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]
    """
    shapes = {row.shape for row in rows}
    if len(shapes) == 1:
        return np.stack(rows)
    padded = np.zeros((len(rows), *np.max(list(shapes), axis=0).tolist()), dtype=rows[0].dtype)
    for place, row in zip(padded, rows, strict=True):
        place[tuple(slice(extent) for extent in row.shape)] = row
    return padded


def _numbers(rows: Tensor) -> np.ndarray:
    rows = rows.contiguous().cpu()
    if rows.dtype is torch.bfloat16:
        rows = rows.view(torch.int16)  # numpy has no such numbers
    return rows.numpy()


def _shapes(rows: Tensor) -> np.ndarray:
    return np.tile(np.array(rows.shape[1:], dtype=np.int32), (len(rows), 1))
