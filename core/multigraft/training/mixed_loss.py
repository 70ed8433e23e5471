"""The loss of training rows: of mixed ones by their shares, of weighted ones by their weights."""

from __future__ import annotations

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.mixing import OWN_SHARE, of_partners
from multigraft.contracts.objectives import Objective, Outputs, RowLoss


def training_loss(objective: Objective, outputs: Outputs, batch: Batch) -> RowLoss:
    """The objective's loss; of a mixed batch by both targets of each row (Zhang et al. 2018,
    "mixup")."""
    own = objective.loss(outputs, batch)
    if OWN_SHARE not in batch:
        return own
    partners = {name: batch[of] for name, of in of_partners(batch).items()}
    theirs, share = objective.loss(outputs, {**batch, **partners}), batch[OWN_SHARE]
    return RowLoss(
        share * own.total + (1 - share) * theirs.total,
        share * own.weight + (1 - share) * theirs.weight,
    )


def weighted(loss: RowLoss, weights: np.ndarray | None) -> RowLoss:
    """The loss of rows, each counted by its weight [rows] where there are some, as class weights
    count."""
    if weights is None:
        return loss
    factors = torch.from_numpy(weights).to(loss.total)
    return RowLoss(loss.total * factors, loss.weight * factors.to(loss.weight))
