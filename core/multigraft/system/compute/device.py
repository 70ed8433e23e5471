"""The device that a run uses, and how weights lie in its memory."""

from __future__ import annotations

import os

import torch
from torch import nn

from multigraft.system.cpu import granted_cores, usable_cores


def choose_device() -> torch.device:
    """The accelerator of this process, else the CPU."""
    found = torch.accelerator.current_accelerator()
    if found is None or not torch.accelerator.is_available():
        return torch.device("cpu")
    return torch.device(found.type, int(os.environ.get("LOCAL_RANK", "0")))


def use_allowed_cores() -> None:
    """Limit torch's threads to a cgroup's quota, which torch does not look at.

    A number that somebody chose stays: by ``OMP_NUM_THREADS``, or by `torch.set_num_threads` one
    that is neither that of all cores nor that of one thread a core, which are torch's own choices.
    """
    cores, threads = granted_cores(), torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ and threads in (cores, (cores + 1) // 2):
        torch.set_num_threads(min(threads, usable_cores()))


def lay_out(module: nn.Module, *, channels_last: bool) -> None:
    """Order the weights of 2-d convolutions in memory, in place; others have but one order."""
    if any(isinstance(each, nn.Conv2d) for each in module.modules()):
        module.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
