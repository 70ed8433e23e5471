"""Attention as torch exports it becomes one node that computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.export.attention import fuse_attention


class Attending(nn.Module):
    """Attention of four heads over [B, T, 32], as transformers writes it."""

    def __init__(self, masking: str, *, rotated: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key, self.value = (nn.Linear(32, 32) for _ in range(3))
        self.masking = masking
        self.rotated = rotated

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            side(hidden).view(*hidden.shape[:2], 4, 8).transpose(1, 2)
            for side in (self.query, self.key, self.value)
        )
        if self.rotated:
            query, key = query + query.roll(1, -1), key + key.roll(1, -1)
        seen = mask.bool()[:, None, None, :] if self.masking == "padding" else None
        found = F.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, is_causal=self.masking == "causal"
        )
        joined: Tensor = found.transpose(1, 2).reshape(*hidden.shape)
        return joined


def exported(module: nn.Module, path: Path) -> onnx.ModelProto:
    sample = (torch.randn(2, 5, 32), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]))
    shapes = ({0: "batch", 1: "length"}, {0: "batch", 1: "length"})
    torch.onnx.export(
        module.eval(), sample, path, dynamo=True, opset_version=20, dynamic_shapes=shapes, verbose=False
    )
    return onnx.load(path)


def answer(model: onnx.ModelProto, hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"hidden": hidden, "mask": mask}
    found: np.ndarray = session.run(None, {port.name: given[port.name] for port in session.get_inputs()})[0]
    return found


@pytest.mark.parametrize("masking", ["none", "padding", "causal"])
def test_attention_becomes_one_node(tmp_path: Path, masking: str) -> None:
    model = exported(Attending(masking), tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    hidden, mask = rng.normal(size=(3, 9, 32)).astype(np.float32), np.ones((3, 9), dtype=np.int64)
    mask[1, 4:] = 0
    before, count = answer(model, hidden, mask), len(model.graph.node)
    assert fuse_attention(model) == 1
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MultiHeadAttention") == 1 and "Softmax" not in kinds and len(kinds) < count - 8
    node = next(node for node in model.graph.node if node.op_type == "MultiHeadAttention")
    settings = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    assert settings["num_heads"] == 4 and settings["scale"] == pytest.approx(8**-0.5)
    np.testing.assert_allclose(answer(model, hidden, mask), before, atol=2e-6)


def test_what_stands_between_projection_and_scores_is_left(tmp_path: Path) -> None:
    """As rotary positions do: fusing would pass them over."""
    model = exported(Attending("padding", rotated=True), tmp_path / "model.onnx")
    count = len(model.graph.node)
    assert fuse_attention(model) == 0
    assert len(model.graph.node) == count
