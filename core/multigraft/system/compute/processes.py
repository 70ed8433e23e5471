"""Distributed training: the processes of a run, as ``torchrun`` or ``accelerate`` started them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from multigraft.errors import RunError
from multigraft.system.resume_command import launcher

Value = TypeVar("Value")
JOINING = timedelta(seconds=120)
"""How long processes wait for each other to begin; torch itself would wait for half an hour."""
BUCKET = 25 * 1024 * 1024
"""Bytes that are sent at once, as torch's own DistributedDataParallel does."""


@dataclass(frozen=True)
class World:
    """The processes of this run. Alone, every method here does nothing and costs nothing."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Tell whether this process writes the run's folder; the others compute only."""
        return self.rank == 0

    def share(self, items: Sequence[Value]) -> Sequence[Value]:
        """Take this process's share of a sequence: every ``size``-th item."""
        return items if self.size == 1 else items[self.rank :: self.size]

    def sum(self, *values: float) -> list[float]:
        """Each value summed over the processes; the same bits in all of them."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        if dist.get_backend() == "nccl":
            tensor = tensor.cuda()
        with self._together():
            dist.all_reduce(tensor)
        found: list[float] = tensor.tolist()
        return found

    def add_up(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Sum the gradients of these parameters over the processes, in place.

        One that has a gradient in some processes only counts as zero in the others; one that has it
        nowhere stays without.
        """
        if self.size == 1 or not parameters:
            return
        used = torch.tensor(
            [float(p.grad is not None) for p in parameters], device=parameters[0].device
        )
        with self._together():
            dist.all_reduce(used)
            learned = [p for p, count in zip(parameters, used.tolist(), strict=True) if count]
            for parameter in learned:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            for bucket in _buckets([p.grad for p in learned if p.grad is not None]):
                _add_up(bucket)

    def gather(self, value: Value) -> list[Value]:
        """The values of all processes, in the order of their rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(found, value)
        return found

    def agree(self, value: Value) -> Value:
        """The first process's value, in all of them."""
        if self.size == 1:
            return value
        held = [value]
        with self._together():
            dist.broadcast_object_list(held, src=0)
        return held[0]

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.size > 1:
            with self._together():
                dist.barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Run the block in the first process, then in the others, which find its cache."""
        if not self.leads:
            self.wait()
        try:
            yield
        finally:
            if self.leads:
                self.wait()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Say what it means where the other processes do not answer any more."""
        try:
            yield
        except RuntimeError as error:  # torch's errors of this kind are all RuntimeErrors
            raise RunError(
                "another process of this training has ended; see its own message, then start all "
                f"of them again with: {launcher(self.size)} resume RUN "
                f"({str(error).splitlines()[0]})"
            ) from error


ALONE = World()


def join_world() -> World:
    """Join the world this process was started in, once; it is left when the process ends."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if not dist.is_initialized():
        if torch.accelerator.is_available():
            torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")))
        _join("nccl" if torch.cuda.is_available() else "gloo", size)
    return World(dist.get_rank(), dist.get_world_size())


def _join(backend: str, size: int) -> None:
    """Meet the other processes. Raises RunError where one does not come: it may have ended."""
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=JOINING))
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    except RuntimeError as error:
        raise RunError(
            f"the {size} processes of this training did not meet within {JOINING.seconds} s; see "
            f"the others' own messages, then start all of them together: {launcher(size)} ... "
            f"({str(error).splitlines()[0]})"
        ) from error


def _add_up(bucket: Sequence[Tensor]) -> None:
    """Sum each tensor over the processes, in place, with one message."""
    flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
    dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in bucket])
    for tensor, part in zip(bucket, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Group tensors by type into buckets of about `BUCKET` bytes, the first to be ready first."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in reversed(tensors):
        if bucket and (size >= BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel() * tensor.element_size()
    if bucket:
        yield bucket
