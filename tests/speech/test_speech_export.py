from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from helpers.speech_toys import KINDS, Grown, grow, sounds
from multigraft.contracts.objectives import Objective
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.export.graph.trace import Served, export_graph
from multigraft.export.precision.quantize import quantize
from multigraft.models.graft import Graft

INPUTS = ("input_values", "attention_mask")


class Embedding(Objective):
    """Serves the pooled features."""


@dataclass(frozen=True)
class Exported:
    """A backbone and its graph."""

    grown: Grown
    path: Path


def export(kind: str, folder: Path) -> Exported:
    grown = grow(KINDS[kind])
    served = Served(Graft(grown.module, nn.Identity()), Embedding(), INPUTS, with_head=False).eval()
    rows = [grown.reader.read(sound) for sound in sounds([8000, 5000])]
    export_graph(served, rows, grown.reader.fills, folder / "model.onnx", opset=20)
    return Exported(grown, folder / "model.onnx")


@pytest.fixture(scope="module")
def logmel_graph(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export("logmel", tmp_path_factory.mktemp("logmel"))


@pytest.fixture(scope="module")
def int8_graph(logmel_graph: Exported) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        logmel_graph.grown.reader.read(sound)
        for sound in sounds(rng.integers(3000, 16_000, 12).tolist())
    ]
    batches = [
        collate(rows[start : start + 4], logmel_graph.grown.reader.fills) for start in (0, 4, 8)
    ]
    path = logmel_graph.path.with_name("int8.onnx")
    quantize(logmel_graph.path, path, logmel_graph.grown.family.quantization, iter(batches))
    return path


def answer(path: Path, arrays: Arrays) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["embedding"], {name: arrays[name] for name in INPUTS})[0]
    return found


def assert_parity(exported: Exported) -> None:
    """At other batch sizes and lengths than the graph was made with, rows padded and not."""
    grown = exported.grown
    for chosen in (sounds([16_000, 9_000, 3456, 12_345, 2000]), sounds([2345])):
        arrays = collate([grown.reader.read(sound) for sound in chosen], grown.reader.fills)
        with torch.no_grad():
            want = grown.module(
                {name: torch.from_numpy(value) for name, value in arrays.items()}
            ).pooled
        np.testing.assert_allclose(answer(exported.path, arrays), want.numpy(), atol=2e-5)


def test_logmels_graph_answers_as_the_module(logmel_graph: Exported) -> None:
    assert_parity(logmel_graph)


def test_wav2vec2s_graph_answers_as_the_module(tmp_path: Path) -> None:
    assert_parity(export("wav2vec2", tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav2vec2-group", "hubert"])
def test_its_relatives_graphs_do_too(kind: str, tmp_path: Path) -> None:
    assert_parity(export(kind, tmp_path))


def test_logmel_in_int8_stays_near(logmel_graph: Exported, int8_graph: Path) -> None:
    reader = logmel_graph.grown.reader
    arrays = collate([reader.read(sound) for sound in sounds()], reader.fills)
    want, found = answer(logmel_graph.path, arrays), answer(int8_graph, arrays)
    for one, other in zip(want, found, strict=True):
        assert np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other) > 0.995


def test_the_front_end_stays_float_in_int8(logmel_graph: Exported, int8_graph: Path) -> None:
    graph = onnx.load(int8_graph).graph
    floats = {
        weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT
    }
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    kept = [node for node in convolutions if node.input[1] in floats]
    assert len(convolutions) == 1 + 1 + 2 * logmel_graph.grown.module.layout.depth
    assert kept == [convolutions[0], convolutions[-1]], "the front end, and what gives positions"
