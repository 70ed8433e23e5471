"""The machine in a few words and numbers, without its name on any network."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import Any

from multigraft.versions import installed_versions

LIBRARIES = ("multigraft", "torch", "transformers", "timm", "accelerate", "datasets", "onnxruntime")
NOISE = re.compile(
    r"\(r\)|\(tm\)|@.*|\b(intel|amd|cpu|processor|with|radeon|graphics|gen|\d+th|\d+-core)\b", re.I
)
SIDE, SMALL = 2048, 256
SLOW = 5.0
"""GFLOPS that no processor has in a format it knows; a large product would take minutes."""


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """What the processor calls itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return found[1].strip() if found else platform.machine()


def short_name(processor: str, cores: int) -> str:
    """A file's name for the machine.

    >>> short_name("Intel(R) Xeon(R) Processor @ 2.50GHz", 2)
    'xeon-2-cores'
    >>> short_name("AMD EPYC 7B13 64-Core Processor", 8)
    'epyc-7b13-8-cores'
    """
    words = re.findall(r"[a-z0-9]+", NOISE.sub(" ", processor).lower())
    return "-".join([*(words or ["processor"]), str(cores), "core" if cores == 1 else "cores"])


def describe() -> dict[str, Any]:
    """Processor, cores, threads, and the rate of a matrix product: the limit of what training can reach."""
    import torch

    from multigraft.device import native_bf16

    return {
        "processor": processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "native_bf16": native_bf16(),
        "fp32_gflops": round(product_rate(torch.float32), 1),
        "bf16_gflops": round(product_rate(torch.bfloat16), 1),
    }


def product_rate(dtype: Any) -> float:
    """The best rate of a product of two square matrices on the processor, in GFLOPS."""
    rough = _rate(dtype, SMALL)
    return rough if rough < SLOW else _rate(dtype, SIDE)


def _rate(dtype: Any, side: int, repeats: int = 5) -> float:
    import torch

    left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - started)
    return float(2 * side**3 / best / 1e9)


def versions() -> dict[str, str]:
    """The libraries both sides are made of."""
    return installed_versions(LIBRARIES)
