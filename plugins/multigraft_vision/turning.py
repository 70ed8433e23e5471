"""Turning a picture about its centre."""

from __future__ import annotations

import math

import numpy as np

from multigraft_vision.channels.planes import Picture


def turn(picture: Picture, degrees: float) -> np.ndarray:
    """From the pixels of a picture that is turned about its centre back to those before it, as
    Pillow counts them."""
    angle = -math.radians(degrees % 360.0)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = picture.width / 2, picture.height / 2
    return np.array([[cos, sin, -cos * x - sin * y + x], [-sin, cos, sin * x - cos * y + y]])
