"""Operators that torch's exporter would write otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.export.graph.trace import write_graph
from multigraft.runtime.session import Session


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.logsigmoid(x)


def test_a_closed_gate_has_a_logarithm(tmp_path: Path) -> None:
    """A recurrence sums the logarithms of its gates; of a sigmoid that is rounded to 0 there is
    none."""
    x = torch.tensor([[-200.0, -100.0, -19.0, -5.0, 0.0, 5.0, 100.0], [0.0] * 7])
    write_graph(
        Gate().eval(),
        (x,),
        inputs=["x"],
        outputs=["y"],
        shapes=({0: "batch"},),
        path=tmp_path / "gate.onnx",
        opset=20,
    )
    found = Session(tmp_path / "gate.onnx").run({"x": x.numpy()})["y"]
    np.testing.assert_allclose(found, F.logsigmoid(x).numpy(), atol=1e-6)


class Ranked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch._check_tensor_all(torch.tensor(x.shape[1]) == 4)
        return x.sort(dim=1, descending=True, stable=True).indices


def test_equal_values_stay_in_order_and_checks_of_shapes_are_known(tmp_path: Path) -> None:
    x = torch.tensor([[1.0, 2.0, 2.0, 1.0], [3.0, 3.0, 3.0, 3.0]])
    write_graph(
        Ranked().eval(),
        (x,),
        inputs=["x"],
        outputs=["y"],
        shapes=({0: "batch"},),
        path=tmp_path / "ranked.onnx",
        opset=20,
    )
    found = Session(tmp_path / "ranked.onnx").run({"x": np.repeat(x.numpy(), 2, 0)})["y"]
    assert found.tolist() == [[1, 2, 0, 3]] * 2 + [[0, 1, 2, 3]] * 2
