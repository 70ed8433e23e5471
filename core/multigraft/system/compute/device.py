"""The device a run uses, and the number formats it computes natively."""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from multigraft.system.cpu import cpu_flags, granted_cores, usable_cores

log = logging.getLogger("multigraft")
Precision = Literal["fp32", "bf16"]


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


def autocast(
    device: torch.device, precision: Precision
) -> Callable[[], AbstractContextManager[Any]]:
    """Makes the context in which a forward pass computes in this precision."""
    if precision == "fp32":
        return nullcontext
    return partial(torch.autocast, device.type, dtype=torch.bfloat16)


def choose_precision(setting: str, device: torch.device, *, begun: str | None = None) -> Precision:
    """``auto`` becomes bf16 where the processor multiplies bf16 matrices natively, else fp32.

    A training that has ``begun`` in one of them goes on in it, wherever it is resumed.
    """
    if setting != "auto":
        return "bf16" if setting == "bf16" else "fp32"
    here: Precision = "bf16" if native_bf16() else "fp32"
    if begun in {None, here}:
        return here
    if begun == "bf16" and not torch.amp.is_autocast_available(device.type):
        log.warning(
            "the training began in bf16, which cannot be computed on %s: it goes on in fp32", device
        )
        return "fp32"
    log.info(
        "the training began in %s and goes on in it; begun here it would be in %s", begun, here
    )
    return "bf16" if begun == "bf16" else "fp32"


def native_bf16() -> bool:
    """Tell whether bf16 is computed in hardware: CUDA 8.0 and later, AVX512-BF16, AMX."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    return bool({"avx512_bf16", "amx_bf16"} & cpu_flags())


def lay_out(module: nn.Module, *, channels_last: bool) -> None:
    """Order the weights of 2-d convolutions in memory, in place; others have but one order."""
    if any(isinstance(each, nn.Conv2d) for each in module.modules()):
        module.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def peak_memory_mb() -> float:
    """The largest resident set of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
