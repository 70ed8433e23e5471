"""Graph rewrites into nodes that onnxruntime computes faster; each is compared with the model.

A rewrite takes a model, changes what it recognises in place, and gives how much that was.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import ModelProto

from multigraft.export.graph.rewrites.attention import fuse_attention
from multigraft.export.graph.rewrites.frames import frame_waveforms
from multigraft.export.graph.rewrites.masking import fill_by_mask

REWRITES: dict[str, Callable[[ModelProto], int]] = {
    "attentions": fuse_attention,
    "masks": fill_by_mask,
    "waveforms": frame_waveforms,
}
"""By the name of what they change, in the order in which they are tried."""
