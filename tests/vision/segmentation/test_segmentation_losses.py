"""Heads and losses of segmentation by their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from multigraft import Features, Level
from multigraft_vision.segmentation.heads import HEADS
from multigraft_vision.segmentation.losses import by_pixel, dice

LEVELS = [Level(4, 4), Level(6, 8), Level(10, 16)]


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 5, 7, generator=draw)
    wanted = torch.randint(0, 3, (2, 5, 7), generator=draw)
    wanted[0, :2] = 255
    return logits, wanted


def test_cross_entropy_is_torchs_own() -> None:
    logits, wanted = example()
    weights = torch.tensor([0.5, 1.0, 3.0])
    found = by_pixel(logits, wanted, weights, None).mean()
    theirs = F.cross_entropy(logits, wanted, weights, ignore_index=255)
    torch.testing.assert_close(found, theirs)


def test_the_focal_loss_is_cross_entropy_of_what_is_unsure() -> None:
    logits, wanted = example()
    plain, none = (by_pixel(logits, wanted, None, gamma) for gamma in (None, 0.0))
    torch.testing.assert_close(plain.total, none.total)
    chance = logits.softmax(1).gather(1, wanted.where(wanted != 255, 0).unsqueeze(1)).squeeze(1)
    each = (1 - chance) ** 2 * -chance.log() * (wanted != 255)
    torch.testing.assert_close(by_pixel(logits, wanted, None, 2.0).total, each.flatten(1).sum(1))


def test_dice_is_0_where_all_is_right_and_1_where_nothing_is() -> None:
    _, wanted = example()
    sure = 100 * F.one_hot(wanted.where(wanted != 255, 0), 3).movedim(-1, 1).float()
    torch.testing.assert_close(dice(sure, wanted), torch.zeros(2), atol=1e-4, rtol=0)
    assert (dice(sure.roll(1, 1), wanted) > 0.8).all()


@pytest.mark.parametrize("loss", ["pixels", "dice"])
def test_ignored_pixels_have_no_gradient(loss: str) -> None:
    logits, wanted = example()
    logits.requires_grad_()
    total = dice(logits, wanted) if loss == "dice" else by_pixel(logits, wanted, None, 2.0).total
    total.sum().backward()
    assert logits.grad is not None
    assert (logits.grad[0, :, :2] == 0).all() and (logits.grad[1] != 0).any()


@pytest.mark.parametrize("name", HEADS)
def test_heads_classify_the_finest_cells_of_each_row_alone(name: str) -> None:
    torch.manual_seed(0)
    head = HEADS[name](LEVELS, 32, 5, 0.1).eval()
    sizes = [(9, 11), (5, 6), (3, 3)]
    maps = tuple(
        torch.randn(3, level.channels, *size) for level, size in zip(LEVELS, sizes, strict=True)
    )
    together = head(Features(torch.zeros(3, 1), maps=maps), {})["logits"]
    assert together.shape == (3, 5, 9, 11)
    alone = head(Features(torch.zeros(1, 1), maps=tuple(each[1:2] for each in maps)), {})["logits"]
    torch.testing.assert_close(alone[0], together[1], atol=1e-5, rtol=1e-4)
    together.square().sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in head.parameters())
