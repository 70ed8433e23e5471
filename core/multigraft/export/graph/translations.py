"""Operators that torch's exporter writes so that numbers are lost, in a form that keeps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """By torch's operator, as `torch.onnx.export` takes them."""
    from onnxscript import opset18

    def log_sigmoid(x: Any) -> Any:
        """``-softplus(-x)``: the logarithm of a sigmoid is infinite where onnxruntime rounds the
        sigmoid to 0, from -18 on."""
        return opset18.Neg(opset18.Softplus(opset18.Neg(x)))

    return {torch.ops.aten.log_sigmoid.default: log_sigmoid}
