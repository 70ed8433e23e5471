"""Bundles of encoder-decoders: two graphs, the first of which reads a text once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import multigraft as mg
from helpers.bundle_figures import figures_agree
from helpers.seq2seq_runs import made_texts, rows_of, trained
from multigraft.errors import ExportError
from multigraft.export.generation.encoder_graph import Encoder, export_encoder
from multigraft.runtime.bundle import open_bundle
from multigraft.runtime.session import Session

LAYERS, HEADS, WIDTH = 2, 2, 32


def test_the_manifest_names_both_graphs_and_the_gate_judged_texts(
    run: mg.Run, bundle: Path
) -> None:
    found = open_bundle(bundle)
    fp32, int8 = found.precisions["fp32"], found.precisions["int8"]
    assert fp32.graphs == {"encoder": "encoder.onnx"} and fp32.file == "model.onnx"
    assert fp32.parity is not None and fp32.parity < 1e-4
    assert fp32.metric == int8.metric == "cer"
    assert int8.same_tokens is not None
    if int8.accepted:
        assert int8.graphs == {"encoder": "encoder.int8.onnx"}
        assert int8.size < fp32.size
    shapes = {port.name: port.shape for port in found.inputs}
    assert shapes["memory.0.key"] == ("batch", HEADS, "source", WIDTH)
    assert shapes["past.0.key"] == ("batch", HEADS, "past", WIDTH)
    generation = found.generation
    assert generation is not None
    assert "memory.mask" in generation.memory and len(generation.memory) == 1 + 2 * LAYERS
    assert dict(generation.defaults) == {
        "max_new_tokens": 12, "method": "beam", "beams": 2, "length_penalty": 1.0,
    }  # fmt: skip
    card = (bundle / "README.md").read_text()
    assert "It writes a text about a value" in card and "the encoder's graph gives" in card
    assert generation.whole and "longer than the reader's limit is refused" in card


def test_a_step_of_the_decoder_turns_no_keys_around(run: mg.Run, bundle: Path) -> None:
    eager = run.recipe.backbone.name.startswith("t5")  # its plain products are left as they are
    graph = onnx.load(bundle / "model.onnx", load_external_data=False).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MultiHeadAttention") == (0 if eager else 2 * LAYERS)
    kept = {port.name for port in (*graph.input, *graph.output)}
    turned = [node for node in graph.node if node.op_type in ("Reshape", "Transpose")]
    keys = [node for node in turned if node.input[0] in kept and "key" in node.input[0]]
    assert bool(keys) == eager


def floats(path: Path) -> list[np.ndarray]:
    graph = onnx.load(path).graph
    return [numpy_helper.to_array(weight) for weight in graph.initializer]


def holds(path: Path, matrix: np.ndarray) -> bool:
    """Whether a graph has a matrix, as it is or transposed."""
    return any(
        array.shape == each.shape and np.array_equal(array, each)
        for array in floats(path)
        for each in (matrix, matrix.T)
    )


def test_cross_attention_is_computed_once_a_text(
    run: mg.Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its matrices are the encoder's alone, whose graph runs once a batch, whatever is written."""
    backbone: Any = run.graft.backbone
    cross = backbone._layout.cross[1]
    for linear in (cross.key, cross.value):
        matrix = linear.weight.detach().numpy()
        assert holds(bundle / "encoder.onnx", matrix) and not holds(bundle / "model.onnx", matrix)
    compute, calls = Session.run, list[str]()
    monkeypatch.setattr(
        Session, "run", lambda self, arrays: calls.append(self._path.name) or compute(self, arrays)
    )
    predictor = mg.load(bundle, precision="fp32")
    predictor.generate(made_texts(5, seed=3), method="beam", beams=3, max_new_tokens=8)
    assert calls == ["encoder.onnx"]


def test_the_table_of_embeddings_lies_once_in_a_bundle(run: mg.Run, bundle: Path) -> None:
    backbone: Any = run.graft.backbone
    table = backbone.model.get_input_embeddings().weight.detach().numpy()
    found = b"".join(path.read_bytes() for path in sorted(bundle.glob("*.*")))
    assert found.count(table.tobytes()) == 1 and found.count(table.T.copy().tobytes()) == 0
    fp32 = open_bundle(bundle).precisions["fp32"]
    names = ("encoder.onnx", "model.onnx", "shared.data")
    assert fp32.size == sum((bundle / name).stat().st_size for name in names)


def test_a_memory_that_is_not_what_was_said_is_refused(run: mg.Run, tmp_path: Path) -> None:
    made = run.objective.generating(run.graft.head)
    assert made is not None
    memory = {**made.writing.memory, "mask": ("target", 1)}
    generating = replace(made, writing=replace(made.writing, memory=memory))
    arrays = [run.reader.read(text) for text in made_texts(2, seed=1)]
    encoder = Encoder(run.graft, generating, tuple(arrays[0])).eval()
    path, fills = tmp_path / "encoder.onnx", run.reader.fills
    with pytest.raises(ExportError, match=r"gives 'mask' of the shape \[\d+\] a row; writing"):
        export_encoder(encoder, arrays, fills, path, opset=20)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_what_the_encoder_gives_is_replayed_while_the_decoder_learns(
    family: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = {}
    for replay in ("on", "off"):
        (tmp_path / replay).mkdir()
        with caplog.at_level("INFO", logger="multigraft"):
            runs[replay] = trained(
                tmp_path / replay,
                family,
                rows_of(made_texts(40, seed=0)),
                strategy={"name": "partial", "blocks": LAYERS},
                backbone={"dropout": 0.0},
                training={"precision": "fp32", "replay": replay},
            )
    assert "replaying blocks:2 of" in caplog.text
    found, wanted = (runs[name].graft.state_dict() for name in ("on", "off"))
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=1e-3)
    assert runs["on"].plan.frozen(1.0) == LAYERS


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run) -> None:
    rows = [*rows_of(made_texts(6, seed=4)), {"text": "a fox", "target": "A" * 99}]
    found = figures_agree(run, rows, without=("loss", "perplexity", "token_accuracy"))
    assert found.facts["rows"] == "6", "the last is too long to be written"
