"""Module state besides weights: settings, and what a forward pass leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

INNER = frozenset(vars(nn.Module()))
"""The names under which torch keeps a module's own affairs."""
PLAIN = (bool, int, float, complex, str, bytes)
DEEP = 6
"""How far structures are followed."""


def state_of(network: nn.Module) -> dict[str, str]:
    """A text for each attribute and buffer of every module: equal texts, equal contents.

    >>> norm = nn.BatchNorm1d(2, affine=False)
    >>> before = state_of(norm)
    >>> _ = norm(torch.rand(4, 2))
    >>> sorted(name for name, held in state_of(norm).items() if held != before[name])
    ['num_batches_tracked', 'running_mean', 'running_var']
    """
    found: dict[str, str] = {}
    for path, module in network.named_modules():
        held = {**dict(module.named_buffers(recurse=False)), **vars(module)}
        for name in held.keys() - (INNER - {"training"}):
            found[f"{path}.{name}" if path else name] = _told(held[name], DEEP)
    return found


def numbers_of(network: nn.Module) -> dict[str, complex]:
    """Numbers and switches of a network's modules, as attention heads, that weights do not show.

    >>> numbers_of(nn.Dropout(0.5))
    {'inplace': False, 'p': 0.5}
    """
    return {
        f"{path}.{name}" if path else name: value
        for path, module in network.named_modules()
        for name, value in sorted(vars(module).items())
        if isinstance(value, bool | int | float | complex) and name not in INNER
    }


def _told(value: Any, depth: int) -> str:
    """A text that changes where a value does; of what cannot be looked into, its type."""
    if value is None or isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, Tensor | np.ndarray):
        return _digest(value)
    if depth and isinstance(value, Mapping):
        return (
            f"{{{', '.join(f'{key!s}: {_told(each, depth - 1)}' for key, each in value.items())}}}"
        )
    if depth and isinstance(value, Sequence | Set):
        held = [_told(each, depth - 1) for each in value]
        return f"[{', '.join(sorted(held) if isinstance(value, Set) else held)}]"
    inside = (
        None
        if isinstance(value, nn.Module) or callable(value)
        else getattr(value, "__dict__", None)
    )
    return f"{type(value).__name__}{_told(inside, depth - 1) if inside and depth else ''}"


def _digest(value: Tensor | np.ndarray) -> str:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    elif value.dtype.hasobject:
        return type(value).__name__
    else:
        flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    digest = hashlib.blake2b(flat.data, digest_size=16).hexdigest()
    return f"{value.dtype}{tuple(value.shape)}:{digest}"
