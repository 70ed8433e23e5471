"""A graft: a backbone, or several side by side, with a head: what is trained, saved, exported."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.models.branches import Branches, Rest


class Graft(nn.Module):
    """``batch -> Features -> outputs``."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    @property
    def branches(self) -> Mapping[str, nn.Module]:
        """The branches of the backbone by name; empty where it is one alone."""
        return self.backbone.named if isinstance(self.backbone, Branches) else {}

    def seen_from(self, branch: str) -> Graft:
        """This graft as one of that branch alone, whose head is all else of it; itself where there
        are no branches. They share every weight."""
        if not isinstance(self.backbone, Branches):
            return self
        rest = Rest(self.backbone, branch, self.head)
        seen = Graft(self.backbone.named[branch], rest)
        seen.training = rest.training = self.training  # alone: the parts keep their modes
        return seen

    def forward(self, batch: Batch) -> Outputs:
        """Run backbone and head."""
        outputs: Outputs = self.head(self.backbone(batch), batch)
        return outputs
