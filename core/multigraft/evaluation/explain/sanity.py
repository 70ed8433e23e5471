"""Sanity check of explanations: with random weights they must change (Adebayo et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def randomised(network: nn.Module, seed: int) -> Iterator[None]:
    """Shuffle the entries of every parameter, and put them back: a network of the same layers and
    the same distribution of weights that has learned nothing (section 3.1, independent of a
    layer's initialisation)."""
    generator = torch.Generator().manual_seed(seed)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    with torch.no_grad():
        for value in network.parameters():
            order = torch.randperm(value.numel(), generator=generator).to(value.device)
            value.copy_(value.flatten()[order].view_as(value))
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in network.named_parameters():
                value.copy_(before[name])


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, of the weights of two explanations [U]; NaN where all weights of one are equal,
    or there are fewer than three.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 15.0])).__round__(3)
    0.5
    """
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)
