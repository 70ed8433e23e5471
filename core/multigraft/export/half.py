"""From an fp32 graph to one in fp16, for graphics processors."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from multigraft.export.storage import save


def halve(source: Path, target: Path) -> None:
    """Write the fp16 graph of ``source``; its inputs and outputs keep their types."""
    model = onnx.load(source)
    save(convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True), target)
