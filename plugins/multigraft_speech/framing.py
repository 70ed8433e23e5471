"""wav2vec2's feature encoder, trained in the layout that processors read fastest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class FrameConv(nn.Module):
    """One of transformers' feature encoder layers, with its modules and so its names of weights.

    Results are [B, C, T] as there. In training on a processor they lie in memory as [B, T, C]: the
    convolution is one matrix product, the norm and the activation read along their rows, and
    nothing is copied between layers. Elsewhere, and where another layer has taken the convolution's
    place (LoRA), the modules compute as transformers' layer does.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.conv = layer.conv
        if hasattr(layer, "layer_norm"):
            self.layer_norm = layer.layer_norm
        self.activation = layer.activation

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, C, T] -> [B, C', T']."""
        frames = convolve(self.conv, hidden)
        if hasattr(self, "layer_norm"):
            frames = self.layer_norm(frames)
        activated: Tensor = self.activation(frames)
        return activated.transpose(1, 2)


def convolve(conv: nn.Module, hidden: Tensor) -> Tensor:
    """A convolution over time without padding: [B, C, T] -> [B, T', C']."""
    if (
        type(conv) is nn.Conv1d
        and conv.groups == 1
        and conv.dilation == (1,)
        and _by_windows(hidden)
    ):
        frames: Tensor = _Windows.apply(hidden.transpose(1, 2), conv.weight, conv.stride[0])
        return frames if conv.bias is None else frames + conv.bias
    convolved: Tensor = conv(hidden)
    return convolved.transpose(1, 2)


def _by_windows(hidden: Tensor) -> bool:
    """Whether the matrix product is the quicker way: for gradients, in fp32, on a processor."""
    if (
        not torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
    ):
        return False
    return hidden.device.type == "cpu" and hidden.dtype is torch.float32


class _Windows(torch.autograd.Function):
    """A convolution as one matrix product over windows, gathered again for the gradient."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, stride: int) -> Tensor:
        """[B, T, C], [C', C, K] -> [B, T', C']."""
        ctx.save_for_backward(hidden, weight)
        ctx.stride = stride
        windows = _windows(hidden, weight.shape[2], stride)
        return (windows @ _matrix(weight)).view(len(hidden), -1, len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Of the input where it is asked for, and of the weight where it learns."""
        hidden, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, len(weight))
        of_hidden, of_weight = None, None
        if ctx.needs_input_grad[0]:
            of_hidden = _overlap(rows, weight, hidden.shape, ctx.stride)
        if ctx.needs_input_grad[1]:
            product = _windows(hidden, weight.shape[2], ctx.stride).t() @ rows
            of_weight = (
                product.view(weight.shape[2], weight.shape[1], -1).permute(2, 1, 0).contiguous()
            )
        return of_hidden, of_weight, None


def _windows(hidden: Tensor, size: int, stride: int) -> Tensor:
    """[B, T, C] -> [B * T', size * C]: what each frame sees, one moment after another."""
    return hidden.unfold(1, size, stride).transpose(2, 3).reshape(-1, size * hidden.shape[2])


def _matrix(weight: Tensor) -> Tensor:
    return weight.permute(2, 1, 0).reshape(-1, len(weight))


def _overlap(rows: Tensor, weight: Tensor, shape: torch.Size, stride: int) -> Tensor:
    """Add up what every frame hands back to the moments it saw: [B * T', C'] -> [B, T, C]."""
    total = torch.zeros(shape, dtype=rows.dtype, device=rows.device)
    frames = (shape[1] - weight.shape[2]) // stride + 1
    for moment in range(weight.shape[2]):
        part = (rows @ weight[:, :, moment]).view(shape[0], frames, -1)
        total[:, moment : moment + stride * (frames - 1) + 1 : stride] += part
    return total
