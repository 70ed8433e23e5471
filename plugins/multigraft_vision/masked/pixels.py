"""The values of a picture as shares of their range, which is what is guessed."""

from __future__ import annotations

import torch
from torch import Tensor

from multigraft import Brief


def shares(image: Tensor) -> Tensor:
    """uint8 of 0 to 255, or floats that are shares already, as float32 from 0 to 1."""
    return image / 255 if image.dtype == torch.uint8 else image.float()


def channels_of(brief: Brief) -> int:
    """How many channels the pictures of a run have."""
    count: int = brief.reader.spec().get("channels", 3)
    return count
