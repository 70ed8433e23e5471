"""The value that is explained, in front of a trained network: its answers and its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.models.graft import Graft
from multigraft.runtime.explain.subject import RowSubject


@dataclass(frozen=True, eq=False)
class Served:
    """What a run's network serves for rows, as its bundle's graph does."""

    graft: Graft
    objective: Objective
    reader: Reader

    def outputs(self, batch: Batch) -> Outputs:
        """Named tensors [B, ...], with their gradients."""
        features = self.graft.backbone(batch)
        return self.objective.serve(features, self.graft.head(features, batch))

    def batch(self, rows: Sequence[Arrays]) -> Batch:
        """Rows together, on the network's device."""
        device = next(self.graft.parameters()).device
        arrays = collate(rows, self.reader.fills)
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def compute(self, rows: Sequence[Arrays]) -> list[Arrays]:
        """The outputs for each row."""
        with torch.no_grad():
            outputs = self.outputs(self.batch(rows))
        arrays = {name: value.float().cpu().numpy() for name, value in outputs.items()}
        return [{name: array[row] for name, array in arrays.items()} for row in range(len(rows))]


@dataclass(eq=False)
class GraftSubject(RowSubject):
    """A row in front of a network (see `explaining.GradientSubject`)."""

    served: Served = field(kw_only=True)

    @property
    def graft(self) -> Graft:
        """The network."""
        return self.served.graft

    def batch(self, hidden: np.ndarray) -> Batch:
        """The rows with these units hidden, bool [N, U]."""
        return self.served.batch([self.hide(each) for each in hidden])

    def number(self, batch: Batch) -> Tensor:
        """The explained number [N] of a batch, with its gradient."""
        found = self.served.outputs(batch)[self.number_in.output]
        self.calls += len(found)
        number: Tensor = found[(slice(None), *self.number_in.place)]
        return number
