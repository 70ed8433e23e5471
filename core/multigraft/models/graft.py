"""A graft: a backbone with a head on it, the one module that is trained, saved and exported."""

from __future__ import annotations

from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs


class Graft(nn.Module):
    """``batch -> Features -> outputs``."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, batch: Batch) -> Outputs:
        """Run backbone and head."""
        outputs: Outputs = self.head(self.backbone(batch), batch)
        return outputs
