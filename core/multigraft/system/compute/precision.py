"""Numerical precision: the format that a training computes in, chosen once and kept."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from multigraft.system.cpu import cpu_flags

log = logging.getLogger("multigraft")


@dataclass(frozen=True)
class Precision:
    """Precision of a forward pass: fp32, or bf16 where autocast finds it safe."""

    name: Literal["fp32", "bf16"]
    device: str = "cpu"
    """Type of the device that computes."""

    def autocast(self) -> AbstractContextManager[Any]:
        """A new context in which a forward pass computes in this precision."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)


FP32 = Precision("fp32")


def choose_precision(setting: str, device: torch.device, *, begun: str | None = None) -> Precision:
    """``auto`` becomes bf16 where the processor multiplies bf16 matrices natively, else fp32.

    A training that has ``begun`` in one of them goes on in it, wherever it is resumed.
    """
    bf16 = Precision("bf16", device.type)
    if setting != "auto":
        return bf16 if setting == "bf16" else FP32
    here = bf16 if native_bf16() else FP32
    if begun in {None, here.name}:
        return here
    if begun == "bf16" and not torch.amp.is_autocast_available(device.type):
        log.warning(
            "the training began in bf16, which cannot be computed on %s: it goes on in fp32", device
        )
        return FP32
    log.info(
        "the training began in %s and goes on in it; begun here it would be in %s",
        begun,
        here.name,
    )
    return bf16 if begun == "bf16" else FP32


def native_bf16() -> bool:
    """Tell whether bf16 is computed in hardware: CUDA 8.0 and later, AVX512-BF16, AMX."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    return bool({"avx512_bf16", "amx_bf16"} & cpu_flags())
