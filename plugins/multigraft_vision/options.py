"""Options that several records share, and the bounds by which files are refused too."""

from __future__ import annotations

from multigraft import Option

MOST_PIXELS = 178_956_970
"""The highest ``reader.max_pixels``: where Pillow itself stops."""

DROP_PATH = Option(
    default=0.0,
    low=0,
    high=0.9,
    help="share of residual branches dropped at random (stochastic depth)",
)
