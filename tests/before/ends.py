"""What a run ends with and a bundle answers, in a form that is kept and compared."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

import multigraft as mg

KEPT = Path(__file__).with_name("kept")
FILES = ("model.safetensors", "head.safetensors")


def machine() -> dict[str, str]:
    """What the last bits of a sum depend on."""
    return {
        "torch": torch.__version__,
        "processor": _processor(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def metrics(report: mg.Report) -> dict[str, list[float | None]]:
    """Value, low and high of each metric."""
    return {name: [each.value, each.low, each.high] for name, each in report.metrics.items()}


def weights(run: Path) -> dict[str, np.ndarray]:
    """Every tensor of a run's model, as ``file:name``."""
    files = {file: load_file(run / "model" / file) for file in FILES}
    return {f"{file}:{name}": found[name] for file, found in files.items() for name in found}


def fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes and bits, however the files are laid out."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def answers(bundle: Path, question: Mapping[str, Any]) -> Sequence[Any]:
    """What a bundle answers: ``verb`` of ``inputs`` with what is ``asked``, in a ``precision``."""
    ask = getattr(mg.load(bundle, precision=question["precision"]), question["verb"])
    found: Sequence[Any] = ask(question["inputs"], **question["asked"])
    return found


def _processor() -> str:
    """Its name as Linux has it, since libraries choose their kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
