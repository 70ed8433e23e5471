"""Rank of this process among those that a launcher started together."""

from __future__ import annotations

import os


def leads() -> bool:
    """Tell whether this process speaks: under torchrun the first one does."""
    return os.environ.get("RANK", "0") == "0"
