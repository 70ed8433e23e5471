from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from multigraft.export.graph import Served, export_graph
from multigraft.export.quantize import quantize
from multigraft.graft import Graft
from multigraft.objectives import Objective
from multigraft.readers import collate
from multigraft.records import Arrays
from plugins.speech.speech_toys import Grown, sounds

INPUTS = ("input_values", "attention_mask")


class Embedding(Objective):
    """Serves the pooled features."""


def exported(grown: Grown, folder: Path) -> Path:
    served = Served(Graft(grown.module, nn.Identity()), Embedding(), INPUTS, with_head=False).eval()
    rows = [grown.reader.read(sound) for sound in sounds([8000, 5000])]
    export_graph(served, rows, grown.reader.fills, folder / "model.onnx", opset=20)
    return folder / "model.onnx"


def answer(path: Path, arrays: Arrays) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["embedding"], {name: arrays[name] for name in INPUTS})[0]
    return found


def test_the_graph_answers_as_the_module_at_other_shapes(grown: Grown, tmp_path: Path) -> None:
    path = exported(grown, tmp_path)
    for chosen in (sounds([16_000, 9_000, 3456, 12_345, 2000]), sounds([2345])):
        arrays = collate([grown.reader.read(sound) for sound in chosen], grown.reader.fills)
        with torch.no_grad():
            want = grown.module({name: torch.from_numpy(value) for name, value in arrays.items()}).pooled
        np.testing.assert_allclose(answer(path, arrays), want.numpy(), atol=2e-5)


@pytest.fixture
def batches(logmel: Grown) -> Iterator[Arrays]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3000, 16_000, 12).tolist()
    rows = [logmel.reader.read(sound) for sound in sounds(lengths)]
    return iter([collate(rows[start : start + 4], logmel.reader.fills) for start in (0, 4, 8)])


def test_logmel_in_int8_stays_near(logmel: Grown, tmp_path: Path, batches: Iterator[Arrays]) -> None:
    path = exported(logmel, tmp_path)
    quantize(path, tmp_path / "int8.onnx", logmel.family.quantization, batches)
    arrays = collate([logmel.reader.read(sound) for sound in sounds()], logmel.reader.fills)
    want, found = answer(path, arrays), answer(tmp_path / "int8.onnx", arrays)
    for one, other in zip(want, found, strict=True):
        assert np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other) > 0.995


def test_the_front_end_stays_float_in_int8(logmel: Grown, tmp_path: Path, batches: Iterator[Arrays]) -> None:
    path = exported(logmel, tmp_path)
    quantize(path, tmp_path / "int8.onnx", logmel.family.quantization, batches)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    floats = {weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    kept = [node for node in convolutions if node.input[1] in floats]
    assert len(convolutions) == 1 + 1 + 2 * logmel.module.layout.depth
    assert len(kept) == 1
