"""The machine in a few words and numbers, without its name on any network."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multigraft.system.versions import installed_versions

LIBRARIES = ("multigraft", "torch", "transformers", "timm", "accelerate", "datasets", "onnxruntime")
NOISE = re.compile(
    r"\(r\)|\(tm\)|@.*|\b(intel|amd|cpu|processor|with|radeon|graphics|gen|\d+th|\d+-core)\b", re.I
)
SIDE, SMALL = 2048, 256
WARM, TIMED, CALLS = 0.5, 0.5, 3
"""Seconds, and the fewest calls, that warm up and that count."""
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


def generation() -> str:
    """Which design the processor is of: a virtual machine's tells only its brand by name.

    Family and model, or on ARM implementer and part; empty where the system does not say.
    """
    try:
        return generation_of(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        return ""


def generation_of(text: str) -> str:
    """The same from the text of /proc/cpuinfo.

    >>> generation_of("model name\\t: AMD EPYC\\ncpu family\\t: 25\\nmodel\\t\\t: 17\\n")
    'f25m17'
    >>> generation_of("CPU implementer\\t: 0x41\\nCPU part\\t: 0xd0c\\n")
    'i41pd0c'
    """
    names = (("cpu family", "f"), ("model", "m"), ("CPU implementer", "i"), ("CPU part", "p"))
    found = [
        (letter, re.search(rf"^{name}\s*:\s*(?:0x)?(\w+)\s*$", text, re.M))
        for name, letter in names
    ]
    return "".join(letter + match[1] for letter, match in found if match)


def short_name(processor: str, cores: int, generation: str = "") -> str:
    """A file's name for the machine.

    >>> short_name("Intel(R) Xeon(R) Processor @ 2.50GHz", 2, "f6m106")
    'xeon-f6m106-2-cores'
    >>> short_name("AMD EPYC 7B13 64-Core Processor", 8)
    'epyc-7b13-8-cores'
    """
    words = re.findall(r"[a-z0-9]+", NOISE.sub(" ", processor).lower()) or ["processor"]
    count = [str(cores), "core" if cores == 1 else "cores"]
    return "-".join([*words, *([generation] if generation else []), *count])


def describe() -> dict[str, Any]:
    """Processor, cores, threads, and the rate of a matrix product: the limit of what training can
    reach."""
    import torch

    from multigraft.system.compute.precision import native_bf16

    return {
        "processor": processor(),
        "generation": generation(),
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


def _rate(dtype: Any, side: int) -> float:
    import torch

    left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
    best = best_time(lambda: torch.mm(left, right))
    return float(2 * side**3 / best / 1e9)


def best_time(work: Callable[[], object]) -> float:
    """The least seconds that ``work`` takes, once threads, caches and clock are warm.

    The first calls start threads and choose kernels: of a few milliseconds' work they are most of
    the time.
    """
    for seconds in (WARM, TIMED):
        best, started, calls = float("inf"), time.perf_counter(), 0
        while calls < CALLS or time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            work()
            best, calls = min(best, time.perf_counter() - begun), calls + 1
    return best


def versions() -> dict[str, str]:
    """The libraries both sides are made of."""
    return installed_versions(LIBRARIES)
