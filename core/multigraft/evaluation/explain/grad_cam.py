"""Grad-CAM (Selvaraju et al. 2017): where the last map that the gradient favours is large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.explaining import Attribution, GradientSubject
from multigraft.contracts.features import Features
from multigraft.contracts.units import Units
from multigraft.errors import PredictError

FINE = 224
"""Cells a side of the enlarged map of which a patch takes the mean."""


def grad_cam(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """Weights [U], none below 0: the map of equation 2, enlarged, and its mean in each patch.

    Raises PredictError for a backbone of which no block gives the last map.
    """
    del options
    batch = subject.batch(np.zeros((1, subject.count), dtype=bool))
    with torch.enable_grad(), _outputs(subject.graft) as kept:
        number = subject.number(batch).sum()
        found, gradient = _last_map(kept, number)
    shares = gradient.mean((2, 3), keepdim=True)
    cam = (shares * found).sum(1, keepdim=True).relu().detach()
    (units,) = subject.units.values()
    return Attribution(_in_patches(cam, units))


@contextmanager
def _outputs(graft: Any) -> Iterator[dict[str, Any]]:
    """What the backbone gives, under ``features``, and the tensors that its blocks give, under
    ``blocks``, each with its gradient."""
    kept: dict[str, Any] = {"blocks": []}

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        del module, args
        if isinstance(output, Features):
            kept["features"] = output
        elif isinstance(output, Tensor) and output.requires_grad:
            kept["blocks"].append(output)

    backbone = graft.backbone
    handles = [each.register_forward_hook(keep) for each in (backbone, *backbone.blocks)]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _last_map(kept: Mapping[str, Any], number: Tensor) -> tuple[Tensor, Tensor]:
    """The last map [1, C, H, W] on the way to the number, and its gradient."""
    maps = kept["features"].maps
    shape = tuple(maps[-1].shape) if maps else ()
    for block in reversed(kept["blocks"]):
        if (found := as_map(block, shape)) is not None:
            (gradient,) = torch.autograd.grad(number, block, retain_graph=True, allow_unused=True)
            if gradient is not None:
                return found, as_map(gradient, shape)
    raise PredictError(
        "'grad-cam' needs a backbone one of whose blocks gives its last map of features, and this "
        "one's do not; use integrated-gradients or occlusion"
    )


def as_map(value: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """A block's output as [1, C, H, W] of a map with so many cells: as it is, with channels last,
    or as tokens, the last H * W of which are the cells; None where it is no such thing."""
    if len(shape) != 4:
        return None
    height, width = shape[2:]
    if value.dim() == 4 and tuple(value.shape[2:]) == (height, width):
        return value
    if value.dim() == 4 and tuple(value.shape[1:3]) == (height, width):
        return value.permute(0, 3, 1, 2)
    if value.dim() == 3 and value.shape[1] >= height * width:
        return value[:, -height * width :].transpose(1, 2).unflatten(2, (height, width))
    return None


def _in_patches(cam: Tensor, units: Units) -> np.ndarray:
    fine = F.interpolate(cam.float(), (FINE, FINE), mode="bilinear")[0, 0].cpu().numpy()
    boxes = (units.places * FINE).round().astype(int).tolist()
    return np.array(
        [
            float(fine[top : max(bottom, top + 1), left : max(right, left + 1)].mean())
            for left, top, right, bottom in boxes
        ]
    )
