"""Task-aligned assignment: which points learn which object, by how well they tell it already
(Feng et al. 2021, TOOD, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from multigraft_vision.detection.overlap import pairwise

CANDIDATES = 13
"""Points that may learn one object (m in the paper)."""
BOX_POWER = 6
"""How much more the overlap counts than the score (beta; alpha is 1)."""
NOTHING, CROWD = -1, -2
"""Labels of what pads, and of an object that is neither learned nor unlearned."""


@dataclass(frozen=True)
class Assignment:
    """What each point of each row is to learn."""

    objects: Tensor
    """[B, P]: the number of its object in the row; where there is none, 0."""
    quality: Tensor
    """[B, P]: the score it should give that object's class; 0 where it has none."""
    ignored: Tensor
    """[B, P] bool: within a crowd, and of no object."""


@torch.no_grad()
def assign(
    places: Tensor, boxes: Tensor, scores: Tensor, objects: Tensor, labels: Tensor
) -> Assignment:
    """From points [P, 3] with boxes [B, P, 4] and scores [B, P, classes], for objects [B, N, 4]
    with labels [B, N], N > 0.

    Alignment is score * overlap ** 6 (equation 3). The best points within an object are its
    candidates; one of several objects' goes to that which it overlaps most. The best one of an
    object is to score its overlap, others in proportion (section 3.3).
    """
    within = _within(places, objects)  # [B, N, P]
    real = (labels >= 0).unsqueeze(-1)
    overlap = pairwise(objects, boxes).clamp(min=0)
    wanted = labels.clamp(min=0).unsqueeze(-1).expand(-1, -1, scores.shape[1])
    aligned = scores.transpose(1, 2).gather(1, wanted) * overlap**BOX_POWER
    chosen = _best(aligned, within & real)
    shared = torch.where(chosen, overlap, -1.0)
    top, number = shared.max(1)  # [B, P]
    own = torch.zeros_like(chosen).scatter_(1, number.unsqueeze(1), True) & chosen
    aligned = aligned * own
    most = (overlap * own).amax(2, keepdim=True)
    quality = aligned / aligned.amax(2, keepdim=True).clamp(min=1e-12) * most
    taken = top >= 0
    crowded = (within & (labels == CROWD).unsqueeze(-1)).any(1)
    return Assignment(number * taken, quality.sum(1), crowded & ~taken)


def _within(places: Tensor, objects: Tensor) -> Tensor:
    """Whether a point lies in an object, or the object's centre in the point's cell, which a small
    one may lie between, bool [B, N, P]."""
    x, y, stride = places.unbind(-1)
    left, top, right, bottom = (side.unsqueeze(-1) for side in objects.unbind(-1))
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    near = torch.maximum((x - (left + right) / 2).abs(), (y - (top + bottom) / 2).abs())
    return inside | (near <= stride / 2)


def _best(aligned: Tensor, allowed: Tensor) -> Tensor:
    """The `CANDIDATES` points of each object that are aligned best, bool [B, N, P]."""
    order = torch.where(allowed, aligned, -1.0)
    best = order.topk(min(CANDIDATES, order.shape[-1]), dim=-1).indices
    return torch.zeros_like(allowed).scatter_(-1, best, True) & allowed
