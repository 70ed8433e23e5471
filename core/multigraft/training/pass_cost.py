"""Pass cost: what a pass through a network costs besides the positions that it computes."""

from __future__ import annotations

import math

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

PER_MODULE, PER_WEIGHT = 2e6, 35.0
"""How many weights a processor multiplies a position with, forward and backward, while it calls a
module, and while it adds the gradient of a weight to that of the parts before.

Least squares of passes of 32 to 320 positions through BERTs of 2 x 128 and 6 x 384 and a T5 of 2 +
2 x 128 on one core, between those of fp32 and bf16.
"""


def pass_cost(network: nn.Module) -> float:
    """What a pass costs, in positions of a row: its modules and weights against the weights that
    every position is multiplied with.

    It follows from the network alone, not from a measurement: how a batch is computed decides which
    dropout masks are drawn, and a repeated run is to draw the same. Infinite where batches must not
    be computed in parts: batch normalisation would see fewer rows at once.
    """
    modules = list(network.modules())
    if any(isinstance(each, _BatchNorm) for each in modules):
        return math.inf
    called = sum(not list(each.children()) for each in modules)
    looked_up = {
        id(weight)
        for each in modules
        if isinstance(each, nn.Embedding)
        for weight in each.parameters()
    }
    weights = list(network.parameters())
    multiplied = sum(
        each.numel() for each in weights if each.ndim > 1 and id(each) not in looked_up
    )
    added = sum(each.numel() for each in weights)
    return (PER_MODULE * called + PER_WEIGHT * added) / max(multiplied, 1)
