"""Execution providers of onnxruntime, by short names."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft.errors import BundleError, did_you_mean
from multigraft.system.libraries import onnxruntime

CPU = "CPUExecutionProvider"
SHORT = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "qnn": "QNNExecutionProvider",
}
HALVES = frozenset(SHORT[name] for name in ("cuda", "tensorrt", "rocm", "migraphx", "directml"))
"""Those that compute in fp16 faster than in fp32, and in our int8 slower."""


def provider_names(wanted: str | Sequence[str] | None) -> list[str]:
    """onnxruntime's names of the providers to use; the processor last, for what others lack.

    Raises BundleError for one that this onnxruntime does not have.
    """
    asked = [wanted] if isinstance(wanted, str) else list(wanted or ("cpu",))
    full = [SHORT.get(name.lower(), name) for name in asked]
    available = onnxruntime().get_available_providers()
    if missing := [name for name, known in zip(asked, full, strict=True) if known not in available]:
        here = [short for short, name in SHORT.items() if name in available]
        raise BundleError(
            f"provider {', '.join(map(repr, missing))} is not in this onnxruntime; "
            f"{did_you_mean('', here)}\n"
            "  others come with other builds of it, as onnxruntime-gpu, onnxruntime-openvino or "
            "-directml"
        )
    return list(dict.fromkeys([*full, CPU]))


def prefers_half(wanted: str | Sequence[str] | None) -> bool:
    """Tell whether the first provider asked for is faster in fp16."""
    return provider_names(wanted)[0] in HALVES
