"""One ONNX graph, opened and called by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError, refused_as
from multigraft.runtime.providers import provider_names
from multigraft.system.cpu import limited_cores
from multigraft.system.libraries import onnxruntime

PortShape = tuple[str, str, tuple[Any, ...]]
"""An input or output: its name, its type as numpy names it, its shape."""
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
}


class Session:
    """An onnxruntime session that feeds its graph the named arrays it has. Thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        providers: str | Sequence[str] | None = None,
    ) -> None:
        """Open a graph; ``threads`` compute one call (unset: as many as this process may use).

        Raises BundleError. ``providers`` are as `providers.provider_names` takes them; unset, the
        processor.
        """
        self._path = path
        chosen = provider_names(providers)
        engine = onnxruntime()
        options = engine.SessionOptions()
        options.log_severity_level = (
            3  # errors only: warnings about the graph help nobody who deploys it
        )
        options.intra_op_num_threads = threads or limited_cores() or 0
        try:
            self._session = engine.InferenceSession(str(path), options, providers=chosen)
        except Exception as error:  # onnxruntime's own exceptions share no base
            raise BundleError(f"{path}: onnxruntime cannot open it: {error}") from error
        self.inputs = tuple(port.name for port in self._session.get_inputs())
        self.outputs = tuple(port.name for port in self._session.get_outputs())

    def run(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Compute one batch; arrays the graph does not have are passed over. Raises BundleError."""
        if missing := [name for name in self.inputs if name not in arrays]:
            raise BundleError(
                f"{self._path}: the graph needs {missing[0]!r}, which the reader does not give"
            )
        feed = {name: arrays[name] for name in self.inputs}
        with refused_as(BundleError, f"{self._path}: cannot compute this batch"):
            return dict(zip(self.outputs, self._session.run(None, feed), strict=True))

    def chain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Run on onnxruntime's own values: what one call gives, the next takes as it is."""
        with refused_as(BundleError, f"{self._path}: cannot compute this step"):
            found = self._session.run_with_ort_values(self.outputs, dict(values))
            return dict(zip(self.outputs, found, strict=True))

    def value(self, array: np.ndarray) -> Any:
        """An array as `chain` takes it; its memory must be kept alive."""
        return onnxruntime().OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))

    def ports(self) -> tuple[list[PortShape], list[PortShape]]:
        """Inputs and outputs as (name, numpy dtype, shape)."""
        return (
            [_port(port) for port in self._session.get_inputs()],
            [_port(port) for port in self._session.get_outputs()],
        )


def _port(port: Any) -> PortShape:
    dtype = _DTYPES.get(port.type) or port.type.removeprefix("tensor(").removesuffix(")")
    return port.name, dtype, tuple(port.shape)
