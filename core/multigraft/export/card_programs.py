"""Programs on a model card: how a graph is run without multigraft."""

from __future__ import annotations

import json

from multigraft.contracts.types import Arrays
from multigraft.runtime.bundle import Bundle

_CSHARP = {"int64": "long", "int32": "int", "uint8": "byte", "float32": "float", "bool": "bool"}
_JAVASCRIPT = {
    "int64": "BigInt64Array",
    "int32": "Int32Array",
    "uint8": "Uint8Array",
    "float32": "Float32Array",
    "bool": "Uint8Array",
}


def elsewhere(bundle: Bundle, sample: Arrays) -> list[str]:
    """How other programs run the one graph; several are run one behind another."""
    return [_onnxruntime(bundle, sample), _javascript(bundle, sample), _csharp(bundle, sample)]


def _onnxruntime(bundle: Bundle, sample: Arrays) -> str:
    feeds = [
        f'    {json.dumps(port.name)}: np.ones({sample[port.name].shape}, dtype="{port.dtype}"),'
        for port in bundle.inputs
    ]
    return code_block(
        "From Python with onnxruntime alone",
        "python",
        "import os",
        "",
        'os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # or its makers are told of its use',
        "",
        "import numpy as np",
        "import onnxruntime",
        "",
        f'session = onnxruntime.InferenceSession("bundle/{main_file(bundle)}")',
        "arrays = {  # as the reader makes them",
        *feeds,
        "}",
        f"outputs = session.run({[port.name for port in bundle.outputs]}, arrays)",
    )


def _javascript(bundle: Bundle, sample: Arrays) -> str:
    feeds = []
    for port in bundle.inputs:
        kind, shape = _JAVASCRIPT.get(port.dtype, "Float32Array"), list(sample[port.name].shape)
        ones = f"new {kind}({_count(shape)}).fill({'1n' if port.dtype == 'int64' else '1'})"
        feeds.append(f'  {json.dumps(port.name)}: new ort.Tensor("{port.dtype}", {ones}, {shape}),')
    return code_block(
        "From JavaScript (the same files run in a browser)",
        "javascript",
        'import * as ort from "onnxruntime-web"; '
        '// or "onnxruntime-node", with ORT_DISABLE_TELEMETRY=1 set',
        "",
        f'const session = await ort.InferenceSession.create("bundle/{main_file(bundle)}");',
        "const outputs = await session.run({ // as the reader makes them",
        *feeds,
        "});",
        f"console.log(outputs[{json.dumps(bundle.outputs[0].name)}].data);",
    )


def _csharp(bundle: Bundle, sample: Arrays) -> str:
    feeds = []
    for port in bundle.inputs:
        tensor = f"DenseTensor<{_CSHARP.get(port.dtype, 'float')}>"
        shape = ", ".join(map(str, sample[port.name].shape))
        feeds.append(
            f"    NamedOnnxValue.CreateFromTensor({json.dumps(port.name)}, new {tensor}(new[] {{ "
            f"{shape} }})),"
        )
    return code_block(
        "From C#",
        "csharp",
        "// with ORT_DISABLE_TELEMETRY=1 set; else onnxruntime reports to its makers",
        "using Microsoft.ML.OnnxRuntime;",
        "using Microsoft.ML.OnnxRuntime.Tensors;",
        "",
        f'using var session = new InferenceSession("bundle/{main_file(bundle)}");',
        "using var outputs = session.Run(new[] { // as the reader makes them",
        *feeds,
        "});",
    )


def code_block(title: str, language: str, *lines: str) -> str:
    """A section that holds a block of code."""
    return "\n".join([f"## {title}", "", f"```{language}", *lines, "```"])


def main_file(bundle: Bundle) -> str:
    """The graph that answers, in the default precision."""
    return str(bundle.precisions[bundle.default].file)


def _count(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
