"""Taint tracking: which numbers of a forward pass derive from which others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

RANDOM = "random"
"""The mark of what a generator drew."""
SHAPES = frozenset(
    f"{name}{ending}"
    for name in ("empty", "zeros", "ones", "full", "rand", "randn", "randint")
    for ending in ("_like", "_like.generator", "_like.low_dtype")
) | {"new_empty", "new_empty_strided", "new_zeros", "new_ones", "new_full"}
"""Operations that read of a tensor nothing but its shape."""
LEAVING = frozenset({Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__})
"""Calls that hand a tensor's numbers to Python without an operation of torch."""


class Flow(TorchDispatchMode):
    """Taint mode: whatever is computed from a marked tensor gets its marks.

    Marks belong to storages, so views share them and what is written in place passes them on.

    >>> flow, secret = Flow(), torch.ones(2)
    >>> flow.mark(secret, "secret")
    >>> with flow:
    ...     sums, shapes = secret.sum() * 0, torch.zeros_like(secret)
    >>> flow.marks(sums), flow.marks(shapes)
    ({'secret'}, set())
    """

    def __init__(self) -> None:
        super().__init__()
        # its keys keep an address from being used again
        self._marks: dict[StorageWeakRef, set[str]] = {}
        self.decided: set[str] = set()
        """Marks of numbers that Python has read, on which its course may depend."""

    def mark(self, value: Any, mark: str) -> None:
        """Mark every tensor in ``value``, which may be a structure of them."""
        for tensor in _tensors(value):
            self._add(tensor, {mark})

    def marks(self, value: Any) -> set[str]:
        """The marks of the tensors in ``value``, all together."""
        found: set[str] = set()
        return found.union(*(self._marks.get(_storage(tensor), ()) for tensor in _tensors(value)))

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow torch's operations, and what leaves torch."""
        with _Leaving(self), self:
            yield

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        found = set() if _name(func) in SHAPES else self.marks((args, kwargs))
        before = _drawn() if torch.Tag.nondeterministic_seeded in func.tags else None
        given = func(*args, **kwargs)
        if before is not None and (kwargs.get("generator") is not None or not _same_draws(before)):
            found.add(RANDOM)
        if torch.Tag.data_dependent_output in func.tags:
            self.decided |= found
        for tensor in _tensors((given, _written(func, args, kwargs))):
            self._add(tensor, found)
        return given

    def _add(self, tensor: Tensor, marks: set[str]) -> None:
        if marks:
            self._marks.setdefault(_storage(tensor), set()).update(marks)


class _Leaving(TorchFunctionMode):
    """Notes the marks of what becomes a list or a numpy array."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self._flow = flow

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in LEAVING:
            self._flow.decided |= self._flow.marks(args[0])
        return func(*args, **(kwargs or {}))


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())


def _name(func: Any) -> str:
    name: str = func.__name__
    return name.removesuffix(".default")


def _written(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """The arguments that an operation writes into, by its schema."""
    written = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written.append(args[place] if place < len(args) else kwargs.get(argument.name))
    return written


def _drawn() -> list[Tensor]:
    """How far torch's generators are."""
    states = [torch.random.get_rng_state()]
    return [*states, torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else states


def _same_draws(before: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(before, _drawn(), strict=True))
