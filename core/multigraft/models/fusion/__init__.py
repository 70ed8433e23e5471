"""Fusion of branches: how the features of several become the vector that a head reads."""

from __future__ import annotations

from multigraft.models.fusion.options import FUSION_OPTIONS, HIDES

__all__ = ["FUSION_OPTIONS", "HIDES"]
