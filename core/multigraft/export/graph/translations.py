"""Operators that torch's exporter writes so that numbers are lost, in a form that keeps them; and
some that it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

INT32, BOOL = 6, 9
"""ONNX's numbers of types."""


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """By torch's operator, as `torch.onnx.export` takes them."""
    from onnxscript import opset18

    def log_sigmoid(x: Any) -> Any:
        """``-softplus(-x)``: the logarithm of a sigmoid is infinite where onnxruntime rounds the
        sigmoid to 0, from -18 on."""
        return opset18.Neg(opset18.Softplus(opset18.Neg(x)))

    def is_all_true(x: Any) -> Any:
        """Whether all are true, as a model checks of its own input's shape."""
        return opset18.Cast(opset18.ReduceMin(opset18.Cast(x, to=INT32), keepdims=0), to=BOOL)

    def stable_sort(
        x: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False
    ) -> Any:
        """A TopK of all, which puts the first of equal values first."""
        del stable
        count = opset18.Gather(opset18.Shape(x), opset18.Constant(value_ints=[dim]))
        return opset18.TopK(x, count, axis=dim, largest=int(descending))

    return {
        torch.ops.aten.log_sigmoid.default: log_sigmoid,
        torch.ops.aten._is_all_true.default: is_all_true,
        torch.ops.aten.sort.stable: stable_sort,
    }
