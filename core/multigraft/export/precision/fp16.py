"""Convert an fp32 graph to fp16, for graphics processors."""

from __future__ import annotations

from pathlib import Path

import onnx

from multigraft.export.graph.storage import save
from multigraft.system.libraries import onnxruntime


def halve(source: Path, target: Path) -> None:
    """Write the fp16 graph of ``source``; its inputs and outputs keep their types."""
    float16 = onnxruntime("transformers.float16")
    model = onnx.load(source)
    save(
        float16.convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True),
        target,
    )
