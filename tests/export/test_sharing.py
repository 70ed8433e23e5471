"""Weights that graphs hold alike lie once beside them, and the graphs compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from multigraft.export.graph.sharing import LEAST, SHARED, share_weights, shares

ROWS, WIDTH = 50, 32
TABLE = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype("float32")
OWN = np.random.default_rng(1).standard_normal((WIDTH, WIDTH)).astype("float32")


def graph(path: Path, weights: dict[str, np.ndarray], nodes: list[onnx.NodeProto]) -> Path:
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def encoder(path: Path, table: np.ndarray = TABLE) -> Path:
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "own"], ["out"]),
    ]
    return graph(path, {"table": table, "own": OWN}, nodes)


def decoder(path: Path) -> Path:
    """Embeddings and output layer are one table."""
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "head"], ["out"]),
    ]
    return graph(path, {"words": TABLE, "head": TABLE.T.copy()}, nodes)


def answers(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"ids": np.arange(0, ROWS, 3)})[0]
    return found


def test_a_table_of_three_places_lies_once_and_nothing_else_moves(tmp_path: Path) -> None:
    paths = [encoder(tmp_path / "encoder.onnx"), decoder(tmp_path / "model.onnx")]
    before = [answers(path) for path in paths]
    assert share_weights(paths)
    assert (tmp_path / SHARED).read_bytes() == TABLE.tobytes()
    assert all(shares(path) for path in paths)
    for path, wanted in zip(paths, before, strict=True):
        np.testing.assert_array_equal(answers(path), wanted)
    own = [len(path.read_bytes()) for path in paths]
    assert own[0] > OWN.nbytes and own[1] < LEAST, "what one alone has stays in it"
    held = b"".join(path.read_bytes() for path in paths)
    assert TABLE.tobytes() not in held and TABLE.T.copy().tobytes() not in held


@pytest.mark.parametrize("table", [TABLE + 1, TABLE.astype("float64")])
def test_nothing_is_shared_where_nothing_is_alike(table: np.ndarray, tmp_path: Path) -> None:
    paths = [encoder(tmp_path / "encoder.onnx", table), decoder(tmp_path / "model.onnx")]
    before = [path.read_bytes() for path in paths]
    assert not share_weights(paths)
    assert not (tmp_path / SHARED).exists() and not any(shares(path) for path in paths)
    assert [path.read_bytes() for path in paths] == before
