"""Networks that cannot be replayed, one oddity each, and odd ones that can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import multigraft as mg
from multigraft.contracts.features import Batch
from multigraft.models.tasks.classification import LinearHead
from multigraft_series.network import SeriesNet

WIDTH, DEPTH = 8, 3
FROZEN = 3
"""The embedding and two of three layers."""
GLOBAL: list[Tensor] = []


class Net(SeriesNet):
    """``embed``, three layers, a norm; what subclasses change is a step of `forward`."""

    def __init__(self) -> None:
        super().__init__(WIDTH, DEPTH)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, batch: Batch) -> mg.Features:
        mask = batch["attention_mask"].bool()
        real = mask.unsqueeze(-1).float()
        first = self.front(self.embed(batch["values"].unsqueeze(-1)), real)
        given = [first]
        for number, layer in enumerate(self.layers):
            hidden = self.layer(number, layer, given, real)
            given.append(self.between(number, hidden, given))
        hidden = self.last_norm(self.end(given, real))
        return self.features(hidden, mask, real, given)

    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        return hidden

    def layer(self, number: int, layer: nn.Module, given: list[Tensor], real: Tensor) -> Tensor:
        hidden: Tensor = layer(given[-1], real)
        return hidden

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1]

    def features(
        self, hidden: Tensor, mask: Tensor, real: Tensor, given: list[Tensor]
    ) -> mg.Features:
        return mg.Features(pooled=(hidden * real).sum(1) / real.sum(1), sequence=hidden, mask=mask)


# --- skips


class SkipFromTheFirst(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + given[0]


class SkipFromAMiddleBlock(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + given[1]


class SkipIntoTheBlockThatLearns(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + given[0] if number == 1 else hidden


class SkipAroundTheLastFrozenBlock(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + given[-1] if number == 1 else hidden


class SkipThatOpensLater(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + self.gate * given[0]


class FaintSkip(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + 1e-6 * given[1]


class SkipInTrainingOnly(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + given[1] if self.training else given[-1]


class SkipInEvaluationOnly(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] if self.training else given[-1] + given[1]


class SkipThroughNumpy(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + self.gate * torch.from_numpy(given[1].detach().float().numpy())


class MeanOfAllLayers(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return torch.stack([each.float() for each in given]).mean(0)


class LearnedMixOfLayers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.tensor([-50.0, -50.0, -50.0, 50.0]))

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return sum(share * each for share, each in zip(self.mix.softmax(0), given, strict=True))


class AttentionToEarlierBlocks(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number < 1:
            return hidden
        return F.scaled_dot_product_attention(hidden.float(), given[0].float(), given[0].float())


# --- norms that look back


class NormByAnEarlierBlock(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] / (1 + given[0].square().mean((1, 2), keepdim=True))


class ScaleByTheLastFrozenBlocksInput(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden * given[-1].norm() / hidden.norm() if number == 1 else hidden


# --- shared modules


class SharedWithWhatLearns(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers[2].linear = self.layers[0].linear


class OneBlockInTwoPlaces(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers[1] = self.layers[0]


class BlockCalledTwice(Net):
    def layer(self, number: int, layer: nn.Module, given: list[Tensor], real: Tensor) -> Tensor:
        hidden: Tensor = layer(layer(given[-1], real), real)
        return hidden


class FrozenBlockCalledAgainAtTheEnd(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + self.gate * self.layers[1](given[-1], real)


class LearnsInFront(Net):
    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.zeros(WIDTH))
        # registered behind the blocks
        self.prompts = nn.ParameterList([nn.Parameter(torch.zeros(WIDTH))])

    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        return hidden

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + self.prompts[0] if number == 0 else hidden


class ReadsLaterWeightsDetached(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden * self.last_norm.weight.detach().mean() if number == 0 else hidden


# --- in-place writes


class WritesIntoTheFirst(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[0].add_(given[-1])


class WritesIntoAView(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number != 1:
            return hidden
        hidden = hidden.clone()
        hidden[:, :1].add_(self.gate.detach() * given[0][:, :1])
        return hidden


class WritesIntoABuffer(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("held", torch.zeros(WIDTH))

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number == 0:
            self.held.mul_(0.9).add_(hidden.detach().float().mean((0, 1)), alpha=0.1)
        return hidden + 1e-3 * self.held if number == 0 else hidden


# --- state between calls


class Counts(Net):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        self.calls += 1
        return hidden * 2 if self.calls > 1000 else hidden


class AddsTheBatchBefore(Net):
    before: Any = 0.0

    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        return hidden

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number == 0:
            hidden, self.before = hidden + self.before, hidden.detach().float().mean()
        return hidden


class KeepsAGrowingList(Net):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number == 0:
            self.seen.append(0.0)
        return hidden


class KeepsItsStateElsewhere(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number == 0:
            GLOBAL[:] = [hidden.detach().float().mean(), *GLOBAL[:1]]
            return hidden + GLOBAL[-1]
        return hidden


class Leaving(nn.Module):
    """A block that leaves what it computed lying about."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.left: Any = None

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        self.left = hidden.detach()
        given: Tensor = self.inner(hidden, real)
        return given


class ReadsWhatABlockLeft(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers[0] = Leaving(self.layers[0])

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + self.gate * self.layers[0].left.mean()


# --- batch statistics


class CentresTheBatch(Net):
    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        return hidden

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden - 0.05 * hidden.mean(0, keepdim=True) if number == 0 else hidden


class BatchStatistics(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number != 0:
            return hidden
        return F.batch_norm(hidden.transpose(1, 2).float(), None, None, training=True).transpose(
            1, 2
        )


class SharesAmongRows(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden * hidden.float().softmax(0) if number == 0 else hidden


class ReadsItsPadding(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + hidden.mean(1, keepdim=True) if number == 0 else hidden


class PaddingInLaterStatistics(Net):
    def __init__(self) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm1d(WIDTH)

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + 1 if number == 0 else hidden  # no zeros where padded

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return self.statistics(given[-1].float().transpose(1, 2)).transpose(1, 2)


# --- branches


class BranchesInFront(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden * 2 if number == 0 and hidden.abs().max() > 1e6 else hidden


class BranchesOnASkippedBlock(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] * 2 if bool((given[0] > 1e6).any()) else given[-1]


class BranchesOnWhatItLearns(Net):
    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + given[0] if self.gate.item() > 0.1 else given[-1]


class BranchesOnAList(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return (
            hidden * 2 if number == 0 and max(hidden.float().flatten().tolist()) > 1e6 else hidden
        )


# --- chance


class DropsInFront(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return F.dropout(hidden, 0.1, self.training) if number == 0 else hidden


class SeldomDropsARow(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if number != 0 or not self.training:
            return hidden
        return hidden * (torch.rand(len(hidden), 1, 1) > 1e-6)


class DrawsFromItsOwnGenerator(Net):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        noise = torch.rand((), generator=self.generator)
        return hidden * (1 + 1e-9 * noise) if number == 0 else hidden


class DrawsFromNumpy(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden * 2 if number == 0 and np.random.random() < 1e-9 else hidden


# --- gradients


class RecomputesAcrossTheLine(Net):
    """The gradient's second pass calls a frozen block when nothing answers in its place any
    more."""

    def forward(self, batch: Batch) -> mg.Features:
        mask = batch["attention_mask"].bool()
        real = mask.unsqueeze(-1).float()
        first = self.layers[0](self.embed(batch["values"].unsqueeze(-1)), real)

        def segment(hidden: Tensor) -> Tensor:
            last: Tensor = self.layers[2](self.layers[1](hidden, real), real)
            return last

        hidden = (
            checkpoint(segment, first, use_reentrant=False)
            if torch.is_grad_enabled()
            else segment(first)
        )
        return self.features(self.last_norm(hidden), mask, real, [])


# --- heads


class WithMaps(Net):
    def features(
        self, hidden: Tensor, mask: Tensor, real: Tensor, given: list[Tensor]
    ) -> mg.Features:
        plain = super().features(hidden, mask, real, given)
        return mg.Features(
            plain.pooled, plain.sequence, mask, tuple(each.transpose(1, 2) for each in given)
        )


class HeadOfMaps(LinearHead):
    def forward(self, features: mg.Features, batch: Batch) -> dict[str, Tensor]:
        pooled = features.pooled + 1e-4 * features.maps[0].mean(-1)
        return {"logits": self.linear(pooled)}


class Remembering(Net):
    """Leaves its hidden states to whoever reads them."""

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        self.__dict__["given"] = given
        return given[-1]


class HeadOfHiddenStates(LinearHead):
    def forward(self, features: mg.Features, batch: Batch) -> dict[str, Tensor]:
        states = self.__dict__["backbone"].given
        return {"logits": self.linear(features.pooled + 0 * states[1].float().mean(1))}


class HeadThatBranches(LinearHead):
    def forward(self, features: mg.Features, batch: Batch) -> dict[str, Tensor]:
        odd = bool(features.pooled.mean() > 1e6)
        return {"logits": self.linear(features.maps[0].mean(-1) if odd else features.pooled)}


def head_of(kind: type[LinearHead], backbone: Net) -> LinearHead:
    """A head of two labels that knows its backbone without owning it."""
    head = kind(WIDTH, 2, bias=True, dropout=0.0)
    head.__dict__["backbone"] = backbone
    return head


REFUSED: dict[str, tuple[type[Net], type[LinearHead]]] = {
    name: (kind, LinearHead)
    for name, kind in list(globals().items())
    if isinstance(kind, type)
    and issubclass(kind, Net)
    and kind not in {Net, WithMaps, Remembering, PaddingInLaterStatistics}
} | {
    "HeadOfMaps": (WithMaps, HeadOfMaps),
    "HeadOfHiddenStates": (Remembering, HeadOfHiddenStates),
    "HeadThatBranches": (WithMaps, HeadThatBranches),
    "PaddingInLaterStatistics": (PaddingInLaterStatistics, LinearHead),
}


# --- odd ones that can be replayed


class WritesBetween(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden.mul_(2)


class Hooked(Net):
    """A hook of its own changes what a block gives, in a replay once too."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[1].register_forward_hook(lambda module, args, output: output * 2)


class NormsThePooled(Net):
    """Batch statistics of one vector a row, which torch refuses for one row."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm1d(WIDTH)

    def features(
        self, hidden: Tensor, mask: Tensor, real: Tensor, given: list[Tensor]
    ) -> mg.Features:
        plain = super().features(hidden, mask, real, given)
        return mg.Features(self.statistics(plain.pooled.float()), plain.sequence, mask)


class LooksAtItsMask(Net):
    def front(self, hidden: Tensor, real: Tensor) -> Tensor:
        return hidden if bool(real.bool().all()) else hidden * real


class KeepsATable(Net):
    table: Any = None

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        if self.table is None or len(self.table) < hidden.shape[1]:
            self.table = torch.arange(hidden.shape[1]).float().cos().unsqueeze(-1)
        return hidden + self.table[: hidden.shape[1]]


class DrawsForNothing(Net):
    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        torch.rand([])
        return hidden


class NormsInFront(Net):
    """A batch norm that is frozen, and so rests."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[0].norm = _Norm(WIDTH)


class _Norm(nn.BatchNorm1d):
    def forward(self, values: Tensor) -> Tensor:
        return super().forward(values.transpose(1, 2).float()).transpose(1, 2)


class SharesAFrozenNorm(Net):
    """Its last norm is a frozen block's, and so rests."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[0].norm = self.last_norm


class LooksBackInFront(Net):
    """A skip that ends in front of the last frozen block's end."""

    def between(self, number: int, hidden: Tensor, given: list[Tensor]) -> Tensor:
        return hidden + given[0] if number == 0 else hidden


class LooksAtWhatTheFrozenPartGave(Net):
    """A skip that begins at its end."""

    def end(self, given: list[Tensor], real: Tensor) -> Tensor:
        return given[-1] + given[2]


def _accepted() -> Iterator[tuple[str, tuple[type[Net], type[LinearHead]]]]:
    kinds = (WritesBetween, Hooked, LooksAtItsMask, KeepsATable, DrawsForNothing, LooksBackInFront)
    norms = (NormsInFront, NormsThePooled, SharesAFrozenNorm)
    for kind in (Net, WithMaps, Remembering, LooksAtWhatTheFrozenPartGave, *kinds, *norms):
        yield kind.__name__, (kind, LinearHead)


ACCEPTED = dict(_accepted())
