"""Model card: what a bundle is, what it was measured at, and how to call it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from multigraft.contracts.types import Arrays
from multigraft.export.markdown import cell, code, prose, scalar
from multigraft.runtime.bundle import Bundle, Generation, Port, Precision
from multigraft.system.terminal import escaped_json

_CSHARP = {"int64": "long", "int32": "int", "uint8": "byte", "float32": "float", "bool": "bool"}
_JAVASCRIPT = {
    "int64": "BigInt64Array",
    "int32": "Int32Array",
    "uint8": "Uint8Array",
    "float32": "Float32Array",
    "bool": "Uint8Array",
}
_WRITING = (
    'print(predictor.generate("The", max_new_tokens=40)["text"])',
    'for piece in predictor.stream("The", method="sample", temperature=0.8, top_p=0.9, seed=1):',
    '    print(piece, end="", flush=True)',
)


def model_card(bundle: Bundle, *, suffixes: tuple[str, ...], sample: Arrays) -> str:
    """The text of ``README.md``. ``sample`` is one batch whose shapes stand in the examples."""
    sections = [
        _front_matter(bundle),
        _what_it_is(bundle),
        _measured(bundle),
        _ports(bundle),
        _python(bundle, suffixes),
        _onnxruntime(bundle, sample),
        _javascript(bundle, sample),
        _csharp(bundle, sample),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(bundle: Bundle) -> str:
    task, modality = scalar(bundle.task), scalar(bundle.modality)
    return f"---\nlibrary_name: onnx\npipeline_tag: {task}\ntags: [multigraft, {modality}]\n---"


def _what_it_is(bundle: Bundle) -> str:
    lines = [f"# {prose(bundle.task)} with {prose(bundle.backbone)}", ""]
    lines.append(
        f"An ONNX bundle for {prose(bundle.modality)}, exported by multigraft {bundle.multigraft}."
    )
    if bundle.generation is not None:
        does = "writes a text about a value" if bundle.generation.memory else "continues a text"
        lines += [f"It {does}, one token after another.", "", _writing(bundle.generation)]
    if labels := bundle.targets.get("labels"):
        shown = ", ".join(code(str(label)) for label in labels[:20])
        more = f" and {len(labels) - 20} more" if len(labels) > 20 else ""
        lines.append(f"It answers one of {len(labels)} labels: {shown}{more}.")
    if bundle.facts:
        lines += ["", "## How it was trained", "", *_listed(bundle.facts)]
    return "\n".join(lines)


def _writing(generation: Generation) -> str:
    """How the decoder is called, for whoever calls it without multigraft."""
    fixed = any(port.growing is None for port in generation.cache)
    encoder = (
        " What it takes as `memory` the encoder's graph gives, once a value, from what the reader "
        f"gives; every text begins with {', '.join(map(str, generation.start))}."
        if generation.memory
        else ""
    )
    never = f" Never written: {', '.join(map(str, generation.suppress))}."
    return (
        f"Its graph is one step of a decoder of {generation.vocabulary} tokens that holds "
        f"{generation.max_length}: it reads a prompt with an empty past"
        f"{' (zeros where it does not grow)' if fixed else ''}, or one token with the "
        f"past that the step before gave as `present`. {code(str(generation.kept))} chooses the "
        "new tokens whose logits are given. Texts end at "
        f"{', '.join(map(str, generation.stop)) or 'no token of its own'}; {generation.pad} pads, "
        f"on the left.{encoder}{never if generation.suppress else ''}"
    )


def _listed(facts: Mapping[str, Any]) -> list[str]:
    return [f"- {prose(name)}: {_value(value)}" for name, value in facts.items()]


def _value(value: Any) -> str:
    """A fact: a plain word or number as it is, anything else as code."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if re.fullmatch(r"[\w.-]+", text, re.ASCII) else code(text)


def _measured(bundle: Bundle) -> str:
    lines = [
        "## What it was measured at",
        "",
        "| precision | metric on held-out rows | points lost | other answers | size | "
        + ("one token | of 32 rows |" if bundle.generation else "one row | 32 rows |"),
        "|---|---|---|---|---|---|---|",
        *(_precision(name, entry) for name, entry in bundle.precisions.items()),
        "",
        f"{code(bundle.default)} is used unless another one is asked for. Times are of the "
        "exporting machine.",
        *(f"\n{prose(note)}" for note in bundle.notes),
        *(
            _floats(name, entry)
            for name, entry in bundle.precisions.items()
            if entry.accepted and entry.floats
        ),
    ]
    return "\n".join(lines)


def _precision(name: str, entry: Precision) -> str:
    name = prose(name)
    shown = name if entry.accepted else f"{name} (refused, not included)"
    metric = (
        "not measured" if entry.value is None else f"{prose(str(entry.metric))} {entry.value:.4f}"
    )
    if entry.low is not None and entry.high is not None:
        metric += f" [{entry.low:.4f}, {entry.high:.4f}]"
    changed = "-" if entry.changed is None else f"{entry.changed} of {entry.rows}"
    if entry.same_tokens is not None:
        changed += f" ({entry.same_tokens:.1%} of the tokens alike)"
    alone, batch = (_milliseconds(entry.latency.get(rows)) for rows in (1, 32))
    size = f"{entry.size / 1e6:.2f} MB"
    return f"| {shown} | {metric} | {_lost(entry)} | {changed} | {size} | {alone} | {batch} |"


def _lost(entry: Precision) -> str:
    if entry.lost is None:
        return "-"
    between = "" if entry.lost_low is None else f" [{entry.lost_low:.2f}, {entry.lost_high:.2f}]"
    return f"{entry.lost:.2f}{between}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def _floats(name: str, entry: Precision) -> str:
    return f"\nIn {prose(name)} these layers stay float: {', '.join(map(code, entry.floats))}."


def _ports(bundle: Bundle) -> str:
    rows = [("input", port) for port in bundle.inputs] + [
        ("output", port) for port in bundle.outputs
    ]
    return "\n".join(
        [
            "## The graph",
            "",
            "| | name | type | shape |",
            "|---|---|---|---|",
            *(
                f"| {side} | {cell(port.name)} | {prose(port.dtype)} | {_shape(port)} |"
                for side, port in rows
            ),
            "",
            "Every step after reading is inside. What reading does is `reader` in `bundle.json`:",
            "",
            "```json",
            escaped_json(json.dumps(bundle.reader, indent=2, ensure_ascii=False)).replace(
                "`", "\\u0060"
            ),
            "```",
        ]
    )


def _shape(port: Port) -> str:
    return prose("[" + ", ".join(str(size) for size in port.shape) + "]")


def _python(bundle: Bundle, suffixes: tuple[str, ...]) -> str:
    value = f"example{suffixes[0]}" if suffixes else "an example"
    needed = ("modality",) if bundle.named is not None else ("modality", "task")
    owners = [bundle.owners[part] for part in needed if part in bundle.owners]
    plugins = sorted({owner.distribution for owner in owners if owner.distribution})
    return _code(
        "From Python (no torch needed)",
        "python",
        f"# pip install {' '.join(dict.fromkeys(['multigraft', *plugins]))}",
        "import multigraft as mg",
        "",
        'predictor = mg.load("bundle")',
        *(_written(bundle, suffixes) or [f"print(predictor.predict({value!r}))"]),
        *(f"# may be asked: {name}, to {_line(asks.help)}" for name, asks in bundle.asks.items()),
    )


def _line(text: str) -> str:
    """A plugin's words on one line of a block of code, which they do not end."""
    return " ".join(text.replace("`", "'").split())


def _written(bundle: Bundle, suffixes: tuple[str, ...]) -> list[str]:
    """How to let it write; nothing where it answers in one step."""
    if bundle.generation is None:
        return []
    value = f"example{suffixes[0]}" if suffixes and bundle.generation.memory else "The"
    return [line.replace('"The"', json.dumps(value)) for line in _WRITING]


def _onnxruntime(bundle: Bundle, sample: Arrays) -> str:
    feeds = [
        f'    {json.dumps(port.name)}: np.ones({sample[port.name].shape}, dtype="{port.dtype}"),'
        for port in bundle.inputs
    ]
    return _code(
        "From Python with onnxruntime alone",
        "python",
        "import os",
        "",
        'os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # or its makers are told of its use',
        "",
        "import numpy as np",
        "import onnxruntime",
        "",
        f'session = onnxruntime.InferenceSession("bundle/{_file(bundle)}")',
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
    return _code(
        "From JavaScript (the same files run in a browser)",
        "javascript",
        'import * as ort from "onnxruntime-web"; '
        '// or "onnxruntime-node", with ORT_DISABLE_TELEMETRY=1 set',
        "",
        f'const session = await ort.InferenceSession.create("bundle/{_file(bundle)}");',
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
    return _code(
        "From C#",
        "csharp",
        "// with ORT_DISABLE_TELEMETRY=1 set; else onnxruntime reports to its makers",
        "using Microsoft.ML.OnnxRuntime;",
        "using Microsoft.ML.OnnxRuntime.Tensors;",
        "",
        f'using var session = new InferenceSession("bundle/{_file(bundle)}");',
        "using var outputs = session.Run(new[] { // as the reader makes them",
        *feeds,
        "});",
    )


def _code(title: str, language: str, *lines: str) -> str:
    return "\n".join([f"## {title}", "", f"```{language}", *lines, "```"])


def _file(bundle: Bundle) -> str:
    return str(bundle.precisions[bundle.default].file)


def _count(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
