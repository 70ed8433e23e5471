"""The loss of rows that were mixed: each row's share of its own loss and of its partner's."""

from __future__ import annotations

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
