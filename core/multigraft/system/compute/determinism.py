"""Deterministic algorithms: only those that give the same bits each time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

log = logging.getLogger("multigraft")
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic() -> Iterator[None]:
    """Within the block torch refuses operations whose result depends on timing.

    On a processor the usual algorithms already repeat with the same number of threads, so nothing
    is slower; on CUDA sums by atomics and the fastest convolutions are given up.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        os.environ.get(WORKSPACE),
    )
    os.environ.setdefault(WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    cost = (
        "this may slow convolutions and scattered sums"
        if torch.cuda.is_available()
        else "at no cost here"
    )
    log.info("deterministic algorithms only: %s", cost)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before[1:3]
        if before[3] is None:
            os.environ.pop(WORKSPACE, None)


@contextmanager
def as_many_threads(count: int | None) -> Iterator[None]:
    """Compute with ``count`` threads in the block: sums of floats depend on how work is split."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
